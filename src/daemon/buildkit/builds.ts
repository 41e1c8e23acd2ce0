/** One build of a BuildKit client: what it asked for in several calls, put together. */

import { parsePlatform } from "../../api/platforms.ts";
import type { AskedBuild, BuildFailed, BuildOutcome, BuildSource } from "../../build/builds.ts";
import { BuildFailure } from "../../build/failure.ts";
import { type BuildPlatform, hostPlatform } from "../../build/platform.ts";
import { isRemote } from "../../build/remote.ts";
import type { BuildEvent } from "../../build/report.ts";
import { codes, type ErrorDetail, GrpcError } from "../../format/buildkit/grpc.ts";
import type { Services } from "../services.ts";
import { agentsOf } from "./agents.ts";
import { exportsOf, importsOf, parseEntries } from "./caches.ts";
import { contextsOf } from "./contexts.ts";
import type { Entry } from "./entries.ts";
import { outputsOf } from "./exporters.ts";
import { Progress } from "./progress.ts";
import { answerQuestion, metadataOf } from "./questions.ts";
import type { Session } from "./session.ts";
import { fetchCredentials, fetchSecrets, readDockerfile, readSource } from "./sources.ts";

const withPrefix = (options: ReadonlyMap<string, string>, prefix: string): readonly (readonly [string, string])[] =>
  [...options].flatMap(([key, value]) => (key.startsWith(prefix) ? [[key.slice(prefix.length), value] as const] : []));

/** Options that would make another image than ours; whoever gives them must hear of it. */
const refuseLater = (options: ReadonlyMap<string, string>): void => {
  const input = [...options.keys()].find((key) => key.startsWith("input:"));
  if (input !== undefined)
    throw new GrpcError(codes.unimplemented, `pier builds Dockerfiles, and no other LLB: ${input}`);
};

/** Empty means all of it; `--no-cache-filter` names stages. */
const noCacheOf = (options: ReadonlyMap<string, string>): AskedBuild["noCache"] => {
  const text = options.get("no-cache");
  if (text === "") return "all";
  return text === undefined ? [] : text.split(",").map((name) => name.trim());
};

/** `linux/amd64,linux/arm64` */
export const platformsOf = (text: string): readonly BuildPlatform[] =>
  text === ""
    ? [hostPlatform]
    : text.split(",").map((one) => {
        const platform = parsePlatform(one.trim(), (reason) => new GrpcError(codes.invalid, reason));
        if (platform.os !== "linux") throw new GrpcError(codes.unimplemented, `pier builds for linux, not ${one}`);
        return platform;
      });

/** `nofile=1024:2048` */
const parseLimit = (text: string) => {
  const [, Name = "", soft = "", hard = soft] = /^(\w+)=(-?\d+)(?::(-?\d+))?$/.exec(text) ?? [];
  if (Name === "") throw new GrpcError(codes.invalid, `invalid ulimit argument: ${text}`);
  return { Name, Soft: Number(soft), Hard: Number(hard) };
};

const hostOf = (options: ReadonlyMap<string, string>): Readonly<Record<string, unknown>> => {
  const network = options.get("force-network-mode");
  const hosts = options.get("add-hosts");
  const shm = Number(options.get("shm-size") ?? "0");
  const limits = (options.get("ulimit") ?? "").split(",").filter((text) => text !== "");
  const parent = options.get("cgroup-parent");
  return {
    ...(network === undefined ? {} : { NetworkMode: network === "sandbox" ? "default" : network }),
    ...(hosts === undefined ? {} : { ExtraHosts: hosts.split(",").map((host) => host.replace("=", ":")) }),
    ...(shm > 0 ? { ShmSize: shm } : {}),
    ...(limits.length > 0 ? { Ulimits: limits.map(parseLimit) } : {}),
    ...(parent === undefined ? {} : { CgroupParent: parent }),
  };
};

/** What a client wants to have of a build. */
export interface ClientOutputs {
  readonly exporters: readonly Entry[];
  readonly cacheTo: readonly Entry[];
  readonly entitlements: readonly string[];
}

export class ClientBuild {
  readonly progress: Progress;
  readonly #services: Pick<Services, "builds">;

  constructor(services: Pick<Services, "builds">, ref: string) {
    this.#services = services;
    this.progress = new Progress(ref);
  }

  async #read(
    session: Session,
    options: ReadonlyMap<string, string>,
    { exporters, cacheTo, entitlements }: ClientOutputs,
    signal: AbortSignal,
  ): Promise<{ readonly asked: AskedBuild; readonly source: BuildSource; readonly filename: string }> {
    refuseLater(options);
    const filename = options.get("filename") ?? "Dockerfile";
    const source = await this.#source(session, filename, options, signal);
    const asked: AskedBuild = {
      target: options.get("target") ?? "",
      args: new Map(withPrefix(options, "build-arg:")),
      labels: Object.fromEntries(withPrefix(options, "label:")),
      outputs: outputsOf(exporters, session),
      cacheFrom: importsOf(parseEntries(options.get("cache-imports") ?? ""), session),
      cacheTo: exportsOf(cacheTo, session),
      noCache: noCacheOf(options),
      credentials: (domain) => fetchCredentials(session, domain),
      allowed: new Set(entitlements),
      agents: agentsOf(session),
      pull: options.get("image-resolve-mode") === "pull",
      // BuildKit has none.
      squash: false,
      platforms: platformsOf(options.get("platform") ?? ""),
      secrets: (ids) => fetchSecrets(session, ids),
      contexts: contextsOf(withPrefix(options, "context:"), session),
      host: hostOf(options),
    };
    return { asked, source, filename };
  }

  /** What is asked of the Dockerfile, as the metadata of a result. */
  async tell(
    question: string,
    session: Session,
    options: ReadonlyMap<string, string>,
    signal: AbortSignal,
  ): Promise<ReadonlyMap<string, Uint8Array>> {
    const nothing = { exporters: [], cacheTo: [], entitlements: [] };
    const given = () => this.#read(session, options, nothing, signal);
    return metadataOf(await answerQuestion(this.#services, question, given, signal));
  }

  /** The client's directory, or what we fetch ourselves; a Dockerfile of the client's own may come with either. */
  async #source(
    session: Session,
    dockerfile: string,
    options: ReadonlyMap<string, string>,
    signal: AbortSignal,
  ): Promise<BuildSource> {
    const archive = options.get("context") ?? "";
    if (archive === "") return await readSource(session, dockerfile, this.progress, signal);
    if (!isRemote(archive)) throw new GrpcError(codes.unimplemented, `pier cannot use ${archive} as a build context`);
    if (!options.has("dockerfilekey")) return { archive, dockerfile };
    const { text } = await readDockerfile(session, dockerfile, this.progress, signal);
    return { archive, dockerfile, text };
  }

  /** The frontend `dockerfile.v0`, which is our own builder. */
  async run(
    session: Session,
    options: ReadonlyMap<string, string>,
    { exporters, cacheTo, entitlements }: ClientOutputs,
    signal: AbortSignal,
  ): Promise<BuildOutcome> {
    if (options.has("requestid"))
      throw new GrpcError(codes.unimplemented, "pier answers questions about Dockerfiles over the bridge alone");
    const { asked, source, filename } = await this.#read(
      session,
      options,
      { exporters, cacheTo, entitlements },
      signal,
    );
    let text = "";
    const listening = {
      signal,
      listener: (event: BuildEvent) => this.progress.hear(event),
      failed: ({ dockerfile }: BuildFailed) => {
        text = dockerfile;
      },
    };
    try {
      return await this.#services.builds.build(asked, source, listening);
    } catch (error) {
      if (!(error instanceof BuildFailure)) throw error;
      throw new GrpcError(codes.unknown, sentenceOf(error), error, [sourceDetail(filename, text, error)]);
    }
  }
}

/** By this clients print the lines of the Dockerfile that failed: Go's JSON of BuildKit's errdefs.Source. */
const sourceDetail = (filename: string, text: string, { range }: BuildFailure): ErrorDetail => {
  const source = {
    info: { filename, data: Buffer.from(text).toString("base64"), language: "Dockerfile" },
    ranges: [{ start: { line: range.start }, end: { line: range.end } }],
  };
  return { type: "github.com/moby/buildkit/errdefs.Source+json", value: Buffer.from(JSON.stringify(source)) };
};

/** What a client is told of a failure. */
export const sentenceOf = (error: unknown): string => {
  const cause = error instanceof BuildFailure ? error.cause : error;
  return cause instanceof Error ? cause.message : String(cause);
};
