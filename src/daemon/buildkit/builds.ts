/** One build of a BuildKit client: what it asked for in several calls, put together. */

import { parsePlatform } from "../../api/platforms.ts";
import type { AskedBuild, BuildOutcome } from "../../build/builds.ts";
import { parseDockerfile } from "../../build/dockerfile/stages.ts";
import { BuildFailure } from "../../build/failure.ts";
import { hostPlatform } from "../../build/platform.ts";
import type { BuildEvent } from "../../build/report.ts";
import { codes, type ErrorDetail, GrpcError } from "../../format/buildkit/grpc.ts";
import { credentialsAnswer, credentialsRequest, secretAnswer, secretRequest } from "../../format/buildkit/messages.ts";
import { parseIgnoreFile } from "../../format/ignore.ts";
import { readTar } from "../../format/tar/read.ts";
import type { Credentials } from "../../registry/credentials.ts";
import type { Services } from "../services.ts";
import { exportsOf, importsOf, parseEntries } from "./caches.ts";
import type { Entry } from "./entries.ts";
import { outputsOf } from "./exporters.ts";
import { syncDirectory } from "./filesync.ts";
import { Progress } from "./progress.ts";
import type { Session } from "./session.ts";

const readFiles = async (session: Session, name: string, follow: readonly string[], signal: AbortSignal) => {
  const files = new Map<string, string>();
  for await (const { entry, content } of readTar(syncDirectory(session, { name, follow }))) {
    signal.throwIfAborted();
    if (entry.type !== "file") continue;
    const parts: Uint8Array[] = [];
    for await (const part of content) parts.push(part);
    files.set(Buffer.from(entry.path).toString(), Buffer.concat(parts).toString());
  }
  return files;
};

const withPrefix = (options: ReadonlyMap<string, string>, prefix: string): readonly (readonly [string, string])[] =>
  [...options].flatMap(([key, value]) => (key.startsWith(prefix) ? [[key.slice(prefix.length), value] as const] : []));

/** Options that would make another image than ours; whoever gives them must hear of it. */
const refuseLater = (options: ReadonlyMap<string, string>): void => {
  const named = [...options.keys()].find((key) => key.startsWith("context:") || key.startsWith("input:"));
  if (named !== undefined) throw new GrpcError(codes.unimplemented, `pier does not know named contexts yet: ${named}`);
  const context = options.get("context");
  if (context !== undefined && context !== "") {
    throw new GrpcError(
      codes.unimplemented,
      "pier builds directories: contexts from URLs, git and archives are not there yet",
    );
  }
  if (options.get("requestid") !== undefined) {
    throw new GrpcError(codes.unimplemented, "pier answers no questions about Dockerfiles yet (--check, --call)");
  }
};

/** Empty means all of it; `--no-cache-filter` names stages. */
const noCacheOf = (options: ReadonlyMap<string, string>): AskedBuild["noCache"] => {
  const text = options.get("no-cache");
  if (text === "") return "all";
  return text === undefined ? [] : text.split(",").map((name) => name.trim());
};

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

const secretIds = (text: string): readonly string[] => {
  try {
    const instructions = parseDockerfile(text).stages.flatMap((stage) => stage.instructions);
    const mounts = instructions.flatMap((instruction) => (instruction.kind === "RUN" ? instruction.mounts : []));
    return mounts
      .filter(({ type }) => type === "secret")
      .map(({ id, env, target }) => id ?? env ?? target?.split("/").at(-1) ?? "");
  } catch {
    // What is wrong with it the build says.
    return [];
  }
};

/** A session without secrets or credentials does not know the question. */
const ifUnknown = (error: unknown): undefined => {
  if (error instanceof GrpcError && (error.code === codes.notFound || error.code === codes.unimplemented)) return;
  throw error;
};

const fetchSecrets = async (session: Session, text: string): Promise<ReadonlyMap<string, Uint8Array>> => {
  const secrets = new Map<string, Uint8Array>();
  for (const ID of new Set(secretIds(text))) {
    const path = "/moby.buildkit.secrets.v1.Secrets/GetSecret";
    const found = await session.ask(path, [secretRequest, { ID }], secretAnswer).catch(ifUnknown);
    if (found !== undefined) secrets.set(ID, found.data);
  }
  return secrets;
};

/** Undefined where the client is nobody there. */
export const fetchCredentials = async (session: Session, domain: string): Promise<Credentials | undefined> => {
  const path = "/moby.filesync.v1.Auth/Credentials";
  const Host = domain === "docker.io" ? "registry-1.docker.io" : domain;
  const found = await session.ask(path, [credentialsRequest, { Host }], credentialsAnswer).catch(ifUnknown);
  const { Username: username, Secret } = found ?? { Username: "", Secret: "" };
  if (username + Secret === "") return undefined;
  // A secret of nobody's is a token (OAuth's refresh token).
  const [password, identityToken] = username === "" ? ["", Secret] : [Secret, ""];
  return { username, password, identityToken, registryToken: "" };
};

/** What a client wants to have of a build. */
export interface ClientOutputs {
  readonly exporters: readonly Entry[];
  readonly cacheTo: readonly Entry[];
}

export class ClientBuild {
  readonly progress: Progress;
  readonly #services: Pick<Services, "builds">;

  constructor(services: Pick<Services, "builds">, ref: string) {
    this.#services = services;
    this.progress = new Progress(ref);
  }

  /** The frontend `dockerfile.v0`, which is our own builder. */
  async run(
    session: Session,
    options: ReadonlyMap<string, string>,
    { exporters, cacheTo }: ClientOutputs,
    signal: AbortSignal,
  ): Promise<BuildOutcome> {
    refuseLater(options);
    const filename = options.get("filename") ?? "Dockerfile";
    const began = Date.now();
    const own = await readFiles(
      session,
      "dockerfile",
      [filename, `${filename}.dockerignore`, filename.toLowerCase()],
      signal,
    );
    const text = own.get(filename) ?? own.get(filename.toLowerCase());
    if (text === undefined)
      throw new GrpcError(codes.notFound, `failed to read dockerfile: open ${filename}: no such file or directory`);
    this.progress.tell(-1, `[internal] load build definition from ${filename}`, began, Date.now());
    const beside = own.get(`${filename}.dockerignore`);
    const ignore = beside ?? (await readFiles(session, "context", [".dockerignore"], signal)).get(".dockerignore");
    const asks = options.get("platform") ?? "";
    const platform = asks === "" ? hostPlatform : parsePlatform(asks, (reason) => new GrpcError(codes.invalid, reason));
    const asked: AskedBuild = {
      target: options.get("target") ?? "",
      args: new Map(withPrefix(options, "build-arg:")),
      labels: Object.fromEntries(withPrefix(options, "label:")),
      outputs: outputsOf(exporters, session),
      cacheFrom: importsOf(parseEntries(options.get("cache-imports") ?? ""), session),
      cacheTo: exportsOf(cacheTo, session),
      noCache: noCacheOf(options),
      credentials: (domain) => fetchCredentials(session, domain),
      pull: options.get("image-resolve-mode") === "pull",
      platform,
      secrets: await fetchSecrets(session, text),
      host: hostOf(options),
    };
    const exclude = ignore === undefined ? [] : parseIgnoreFile(ignore);
    const archive = syncDirectory(session, { name: "context", exclude });
    const listening = { signal, listener: (event: BuildEvent) => this.progress.hear(event), failed: () => {} };
    try {
      return await this.#services.builds.build(asked, { archive, dockerfile: filename, text }, listening);
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
