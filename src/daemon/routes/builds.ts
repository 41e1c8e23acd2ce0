/** `docker build` as it was before BuildKit: a context comes in, lines of progress go out. */
import { PassThrough } from "node:stream";
import type { BuildExplainAnswer, BuildPruneAnswer } from "../../api/answers/builds.ts";
import { buildSecretsHeader } from "../../api/routes.ts";
import { decodeJson, integer, list, map, nullable, object, type Shape, string } from "../../api/shape.ts";
import { noAgents } from "../../build/agents.ts";
import type { AskedBuild } from "../../build/builds.ts";
import { BuildFailure } from "../../build/failure.ts";
import { hostPlatform } from "../../build/platform.ts";
import { isRemote } from "../../build/remote.ts";
import { GrpcError } from "../../format/buildkit/grpc.ts";
import { nameToGive, parseName } from "../../image/reference.ts";
import { decodeAllCredentials } from "../../registry/credentials.ts";
import { BuildLines } from "../answers/build.ts";
import { chooser, parseDockerFilters } from "../build-cache.ts";
import type { Call, Handler } from "../call.ts";
import { daemonError } from "../errors.ts";
import { platformTexts } from "../platforms.ts";
import type { Query } from "../query.ts";
import { failureOf, json, jsonType, stream } from "../wire.ts";
import { runTracedBuild } from "./traced-build.ts";

const texts = map(string);
const nullableTexts = map(nullable(string));
const ulimits = list(object({ Name: string, Soft: integer(), Hard: integer() }));

const parseJson = <T>(query: Query, name: string, shape: Shape<T>): T | undefined => {
  const text = query.text(name);
  return text === "" || text === "null" ? undefined : parseText(text, name, shape);
};

const parseText = <T>(text: string, name: string, shape: Shape<T>): T => {
  try {
    return shape(decodeJson(Buffer.from(text)), name);
  } catch (cause) {
    throw daemonError("invalidJson", { name }, cause);
  }
};

/** A build argument without a value is the client's to fill in; one that has none is not there. */
const parseArguments = (query: Query): ReadonlyMap<string, string> => {
  const given = Object.entries(parseJson(query, "buildargs", nullableTexts) ?? {});
  return new Map(given.flatMap(([name, value]) => (value === null ? [] : [[name, value] as const])));
};

const numbers = {
  memory: "Memory",
  memswap: "MemorySwap",
  cpushares: "CpuShares",
  cpuquota: "CpuQuota",
  cpuperiod: "CpuPeriod",
  shmsize: "ShmSize",
};
const names = {
  cpusetcpus: "CpusetCpus",
  cpusetmems: "CpusetMems",
  cgroupparent: "CgroupParent",
  networkmode: "NetworkMode",
};

/** What the programs that RUN starts may use: the same door checks it as for any container. */
const hostOf = (query: Query): Readonly<Record<string, unknown>> => {
  const host: { [name: string]: unknown; Ulimits?: unknown; ExtraHosts?: unknown } = {};
  for (const [key, name] of Object.entries(numbers)) {
    const value = query.integer(key);
    if (value !== undefined && value !== 0) host[name] = value;
  }
  for (const [key, name] of Object.entries(names)) if (query.text(key) !== "") host[name] = query.text(key);
  const limits = parseJson(query, "ulimits", ulimits);
  if (limits !== undefined) host.Ulimits = limits;
  const hosts = query
    .list("extrahosts")
    .flatMap((text) => (text.startsWith("[") ? parseText(text, "extrahosts", list(string)) : text.split(",")));
  if (hosts.length > 0) host.ExtraHosts = hosts.filter((text) => text !== "");
  return host;
};

/** Throws for what is not there yet: an option that is ignored would make another image. */
const refuseLater = (query: Query): void => {
  const isTraced = query.text("version") === "2";
  const remote = query.text("remote");
  const isKnown = remote === "" || isRemote(remote) || (isTraced && remote === "client-session");
  if (!isKnown) throw daemonError("noRemoteContext", { address: remote });
  if (!isTraced && !["", "[]", "null"].includes(query.text("outputs"))) throw daemonError("noBuildOutputs", {});
};

/** What only our own client sends: Docker's has secrets in BuildKit's protocol alone. */
const parseSecrets = (header: string | readonly string[] | undefined): ReadonlyMap<string, Uint8Array> => {
  if (typeof header !== "string") return new Map();
  try {
    const given = texts(decodeJson(Buffer.from(header, "base64")), "secrets");
    return new Map(Object.entries(given).map(([id, value]) => [id, Buffer.from(value, "base64")]));
  } catch (cause) {
    throw daemonError("invalidJson", { name: buildSecretsHeader }, cause);
  }
};

const parseBuild = ({ query, request }: Call): AskedBuild => {
  refuseLater(query);
  const platforms = platformTexts(query);
  if (platforms.some(({ os }) => os !== "linux")) throw daemonError("otherSystem", {});
  // As Docker's classic builder, whose answer has one image.
  if (platforms.length > 1 && query.text("version") !== "2") throw daemonError("severalPlatforms", {});
  const tags = query.list("t").filter((name) => name !== "");
  for (const name of tags) nameToGive(parseName(name));
  const secrets = parseSecrets(request.headers[buildSecretsHeader.toLowerCase()]);
  const credentials = decodeAllCredentials(String(request.headers["x-registry-config"] ?? ""));
  return {
    target: query.text("target"),
    args: parseArguments(query),
    labels: parseJson(query, "labels", texts) ?? {},
    outputs: [{ kind: "image", names: tags, push: false }],
    noCache: query.flag("nocache") ? "all" : query.list("nocachefilter"),
    // Of a build of version=1 what is here is found anyway.
    ...{ cacheFrom: [], cacheTo: [], contexts: new Map(), agents: noAgents },
    allowed: new Set(query.list("allow")),
    platforms: platforms.length === 0 ? [hostPlatform] : platforms,
    secrets: () => Promise.resolve(secrets),
    pull: query.flag("pull"),
    squash: query.flag("squash"),
    credentials: (domain) => Promise.resolve(credentials.get(domain)),
    host: hostOf(query),
  };
};

export const build: Handler = (call) => {
  const { request } = call;
  const asked = parseBuild(call);
  const lines = new PassThrough();
  const write = (line: unknown): void => void lines.write(`${JSON.stringify(line)}\r\n`);
  void runBuild(call, asked, write).finally(() => {
    lines.end();
    // A client that is still sending would not read the answer.
    request.resume();
  });
  return stream(jsonType, lines);
};

const runBuild = async (call: Call, asked: AskedBuild, write: (line: unknown) => void): Promise<void> => {
  const { services, request, query, signal } = call;
  const quiet = query.flag("q");
  const told = new BuildLines((line) => {
    if (!quiet) write(line);
  });
  try {
    if (query.text("version") === "2") return await runTracedBuild(call, asked, write);
    const { id, outputs } = await services.builds.build(
      asked,
      { archive: query.text("remote") || request, dockerfile: query.text("dockerfile") || "Dockerfile" },
      {
        signal,
        listener: (event) => told.hear(event),
        failed: ({ excerpt }) => {
          if (excerpt !== "" && !quiet) write({ stream: excerpt });
        },
      },
    );
    write({ aux: { ID: id } });
    if (quiet) return write({ stream: `${id}\n` });
    write({ stream: `Successfully built ${id.slice("sha256:".length, "sha256:".length + 12)}\n` });
    for (const name of outputs.flatMap(({ names }) => names)) write({ stream: `Successfully tagged ${name}\n` });
  } catch (error) {
    // Whoever has gone is why, and reads nothing any more.
    if (signal.aborted) return;
    const cause =
      error instanceof GrpcError ? daemonError("refusedBuild", { reason: error.message }, error) : causeOf(error);
    const { body } = failureOf(cause, services.log, "a build");
    const code = error instanceof BuildFailure ? error.exitCode : undefined;
    write({ errorDetail: { ...(code === undefined ? {} : { code }), message: body.message }, error: body.message });
  }
};

const causeOf = (error: unknown): unknown => (error instanceof BuildFailure ? error.cause : error);

export const prune: Handler = async ({ services, query }) => {
  const bounds = {
    reserved: query.integer("reserved-space") ?? query.integer("keep-storage") ?? 0,
    maxUsed: query.integer("max-used-space") ?? 0,
    minFree: query.integer("min-free-space") ?? 0,
  };
  const choice = { ...parseDockerFilters(query.text("filters")), all: query.flag("all"), bounds };
  const { gone, bytes } = await services.builds.prune((use) => chooser(choice, use));
  const ids = gone.map(({ id }) => id);
  services.events.tell({ type: "builder", action: "prune", id: "", attributes: { reclaimed: String(bytes) } });
  const answer: BuildPruneAnswer = { CachesDeleted: ids.length === 0 ? null : ids, SpaceReclaimed: bytes };
  return json(answer);
};

export const explain: Handler = ({ services }) => {
  const last = services.builds.explain();
  if (last === undefined) throw daemonError("noBuildYet", {});
  const answer: BuildExplainAnswer = {
    ...{ Names: last.names, Began: new Date(last.began).toISOString() },
    ...{ Milliseconds: last.milliseconds, Error: last.error },
    Steps: last.steps.map(({ name, began, ended, isCached, why, waits }) => ({
      ...{ Name: name, Began: began, Ended: ended, Cached: isCached, Why: why },
      Waits: waits.map(({ for: For, milliseconds: Milliseconds }) => ({ For, Milliseconds })),
    })),
  };
  return json(answer);
};
