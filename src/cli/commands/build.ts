/** `pier build` */
import { readFileSync, realpathSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { type BuildAnswer, type BuildProgressLine, buildLineIds } from "../../api/answers/builds.ts";
import { AnswerError, type Client, jsonLines } from "../../api/client.ts";
import { buildSecretsHeader } from "../../api/routes.ts";
import { agentMethods, openAgents } from "../build/agents.ts";
import { type CliCaches, openCaches } from "../build/caches.ts";
import { parseCall } from "../build/call.ts";
import { type BuildContext, openContext } from "../build/context.ts";
import { type CliContexts, openContexts } from "../build/named-contexts.ts";
import { type CliOutput, parseFields, parseOutputs } from "../build/outputs.ts";
import { type BuildProgress, openProgress } from "../build/progress.ts";
import { dockerFlags, refuseOthers, resourceFlags, resourceQuery } from "../build/resources.ts";
import { decodeStatus } from "../build/steps.ts";
import { command } from "../command.ts";
import { cliError } from "../errors.ts";
import { Failure, fileFailure } from "../failure.ts";
import { flag } from "../flags.ts";
import { buildAuthHeaders } from "../registry/auth.ts";
import { print, printError } from "../streams/output.ts";
import { boolean, text, texts } from "../values/kinds.ts";

export const build = command({
  usage: "[OPTIONS] PATH | URL | - | explain",
  flags: {
    "add-host": flag(texts, 'Add a custom host-to-IP mapping (format: "host:ip")'),
    allow: flag(texts, 'Allow extra privileged entitlement (e.g., "network.host", "security.insecure")'),
    "build-arg": flag(texts, "Set build-time variables"),
    "build-context": flag(texts, "Additional build contexts (e.g., name=path)"),
    "cache-from": flag(texts, 'External cache sources (e.g., "user/app:cache", "type=local,src=path/to/dir")'),
    "cache-to": flag(texts, 'Cache export destinations (e.g., "user/app:cache", "type=local,dest=path/to/dir")'),
    call: flag(text("build"), 'Set method for evaluating build ("build", "check", "outline", "targets")'),
    check: flag(boolean(), 'Shorthand for "--call=check"'),
    file: flag(text(), 'Name of the Dockerfile (default: "PATH/Dockerfile")', { short: "f" }),
    iidfile: flag(text(), "Write the image ID to a file"),
    json: flag(boolean(), 'Print what "explain" says of the last build as JSON'),
    label: flag(texts, "Set metadata for an image"),
    load: flag(boolean(), 'Shorthand for "--output=type=docker"'),
    "metadata-file": flag(text(), "Write build result metadata to a file"),
    network: flag(text(), 'Set the networking mode for the "RUN" instructions during build'),
    "no-cache": flag(boolean(), "Do not use cache when building the image"),
    "no-cache-filter": flag(texts, "Do not cache specified stages"),
    output: flag(texts, 'Output destination (format: "type=local,dest=path")', { short: "o" }),
    platform: flag(texts, "Set target platform for build"),
    progress: flag(text("auto"), 'Set type of progress output ("auto", "plain", "tty", "rawjson", "quiet")'),
    pull: flag(boolean(), "Always attempt to pull all referenced images"),
    push: flag(boolean(), 'Shorthand for "--output=type=registry"'),
    quiet: flag(boolean(), "Suppress the build output and print image ID on success", { short: "q" }),
    secret: flag(texts, 'Secret to expose to the build (format: "id=mysecret[,src=/local/secret]")'),
    ssh: flag(texts, 'SSH agent socket to expose to the build (format: "default|<id>[=<socket>]")'),
    squash: flag(boolean(), "Squash newly built layers into a single new layer"),
    tag: flag(texts, 'Name and optionally a tag (format: "name:tag")', { short: "t" }),
    target: flag(text(), "Set the target build stage to build"),
    ...resourceFlags,
    ...dockerFlags,
  },
  least: 1,
  most: 1,
  run: async ({ values: flags, positional, client }) => {
    if (positional[0] === "explain") return await explain(client, flags.json);
    refuseOthers(flags);
    const outputs = parseOutputs(flags.output, flags);
    const caches = openCaches(flags["cache-from"], flags["cache-to"]);
    const call = parseCall(flags.check ? "check" : flags.call);
    const context = await openContext(positional[0]!, flags.file, call.question !== "");
    const kind = flags.quiet ? "quiet" : flags.progress;
    using progress = await openProgress(kind, flags.tag[0] ?? positional[0]!);
    const secrets = Object.fromEntries(flags.secret.map(readSecret));
    const headers = {
      ...(await buildAuthHeaders()),
      ...(flags.secret.length === 0 ? {} : { [buildSecretsHeader]: encodeSecrets(secrets) }),
    };
    const contexts = openContexts(flags["build-context"]);
    using session = await openSession(client, { outputs, caches, contexts, agents: openAgents(flags.ssh), context });
    const isAsked = session !== undefined && context.directory !== undefined;
    const query = {
      version: "2",
      session: session?.id,
      t: flags.tag,
      dockerfile: context.dockerfile,
      remote: isAsked ? "client-session" : context.remote,
      ...(flags["build-context"].length === 0 ? {} : { contexts: JSON.stringify(contexts.addresses) }),
      target: flags.target,
      allow: flags.allow.flatMap((names) => names.split(",")),
      call: call.question,
      nocache: flags["no-cache"],
      nocachefilter: flags["no-cache-filter"].flatMap((names) => names.split(",")),
      pull: flags.pull,
      squash: flags.squash,
      platform: flags.platform.join(","),
      networkmode: flags.network,
      extrahosts: flags["add-host"],
      buildargs: JSON.stringify(Object.fromEntries(flags["build-arg"].flatMap(parseArgument))),
      labels: JSON.stringify(Object.fromEntries(flags.label.map(parseLabel))),
      ...(outputs.length === 0 ? {} : { outputs: JSON.stringify(outputs.map(({ Type, Attrs }) => ({ Type, Attrs }))) }),
      ...(caches.imports.length === 0 ? {} : { cacheimports: JSON.stringify(caches.imports) }),
      ...(caches.exports.length === 0 ? {} : { cacheexports: JSON.stringify(caches.exports) }),
      ...resourceQuery(flags),
    };
    const stream = { type: "application/x-tar", data: context.data };
    const { body } = await client.send("build", {}, { query, headers, ...(isAsked ? {} : { stream }) });
    const { id, response, answer } = await follow(jsonLines<BuildProgressLine>(body), progress);
    if (answer !== undefined) return (await import("../build/answer.ts")).printAnswer(call, answer);
    progress[Symbol.dispose]();
    printError(progress.warnings());
    caches.finish(response["cache.manifest"]);
    if (flags.iidfile !== "") writeFileSync(flags.iidfile, id);
    if (flags["metadata-file"] !== "") writeFileSync(flags["metadata-file"], encodeMetadata(response));
    if (kind === "quiet") print(`${id}\n`);
    return 0;
  },
});

/** A directory of this name is `./explain`. */
const explain = async (client: Client, asJson: boolean): Promise<number> => {
  const answer = await client.get("buildExplain", {});
  const { printExplanation } = await import("../build/explain.ts");
  if (asJson) print(`${JSON.stringify(answer)}\n`);
  else printExplanation(answer);
  return 0;
};

interface Given {
  readonly outputs: readonly CliOutput[];
  readonly caches: CliCaches;
  readonly contexts: CliContexts;
  readonly agents: ReadonlyMap<string, string>;
  readonly context: BuildContext;
}

/** Where there is something for the daemon to ask us for. */
const openSession = async (client: Client, { outputs, caches, contexts, agents, context }: Given) => {
  const stores = new Map([...caches.stores, ...contexts.stores]);
  const { directory } = context;
  const isNeeded =
    stores.size + contexts.directories.size + agents.size > 0 || outputs.some(({ receive }) => receive !== undefined);
  if (!isNeeded && directory === undefined) return undefined;
  const { BuildSession } = await import("../build/session.ts");
  const { directoryMethods } = await import("../build/directories.ts");
  const own = directory === undefined ? {} : { context: directory, dockerfile: directory };
  const directories = new Map([...contexts.directories, ...Object.entries(own)]);
  return await BuildSession.open(
    client,
    outputs.map(({ receive }) => receive),
    stores,
    [...directoryMethods(directories), ...agentMethods(agents)],
    directory === undefined ? "" : sharedKeyOf(directory),
  ).catch((error: unknown) => {
    // A daemon that cannot ask us is sent everything, where that is all it needs.
    if (isNeeded || !(error instanceof AnswerError) || error.status !== 501) throw error;
    return undefined;
  });
};

/** The daemon may be another machine's, and have many clients. */
const sharedKeyOf = (directory: string): string => JSON.stringify([hostname(), realpathSync(directory)]);

/** As BuildKit's clients write it: what is JSON itself stands as such. */
const encodeMetadata = (response: Readonly<Record<string, string>>): string => {
  const entries = Object.entries(response).map(([name, value]) =>
    name === "containerimage.descriptor"
      ? [name, JSON.parse(Buffer.from(value, "base64").toString()) as unknown]
      : [name, value],
  );
  return `${JSON.stringify(Object.fromEntries(entries), undefined, 2)}\n`;
};

/** A variable without a value has that of our own environment, or is not there. */
const parseArgument = (given: string): readonly (readonly [string, string])[] => {
  const equals = given.indexOf("=");
  if (equals >= 0) return [[given.slice(0, equals), given.slice(equals + 1)]];
  const value = process.env[given];
  return value === undefined ? [] : [[given, value]];
};

const parseLabel = (given: string): readonly [string, string] => {
  const equals = given.indexOf("=");
  return equals < 0 ? [given, ""] : [given.slice(0, equals), given.slice(equals + 1)];
};

/** `id=x,src=FILE`, `id=x,env=NAME`, `id=x`: a file, a variable, or whichever has that name. */
const readSecret = (given: string): readonly [string, string] => {
  const fields = parseFields(given);
  const file = fields.get("src") ?? fields.get("source");
  const id = fields.get("id") ?? file ?? fields.get("env");
  if (id === undefined) throw cliError("secretWithoutId", { given });
  const variable = fields.get("env") ?? (file === undefined ? id : undefined);
  const value = variable === undefined ? undefined : process.env[variable];
  if (value !== undefined) return [id, Buffer.from(value).toString("base64")];
  const path = file ?? id;
  try {
    return [id, readFileSync(path).toString("base64")];
  } catch (cause) {
    throw fileFailure(path, cause);
  }
};

const encodeSecrets = (secrets: Readonly<Record<string, string>>): string =>
  Buffer.from(JSON.stringify(secrets)).toString("base64");

interface Built {
  readonly id: string;
  readonly response: Readonly<Record<string, string>>;
  /** Of a call that builds nothing. */
  readonly answer?: BuildAnswer;
}

/** Shows what is said; answers what was built, throws what went wrong. */
const follow = async (lines: AsyncIterable<BuildProgressLine>, progress: BuildProgress): Promise<Built> => {
  let source = "";
  let id = "";
  let response: Built["response"] = {};
  for await (const { id: about, aux, error, errorDetail } of lines) {
    if (error !== undefined) {
      progress[Symbol.dispose]();
      printError(`${progress.unseen()}${source}`);
      throw new Failure(`ERROR: failed to build: ${errorDetail?.message ?? error}`);
    }
    if (about === buildLineIds.trace) progress.hear(decodeStatus(aux as string));
    if (about === buildLineIds.image) id = (aux as { readonly ID: string }).ID;
    if (about === buildLineIds.answer) return { id: "", response: {}, answer: aux as BuildAnswer };
    if (about === buildLineIds.source) source = aux as string;
    if (about === buildLineIds.response) response = aux as Built["response"];
  }
  if (id === "") throw new Failure("ERROR: the build was cut off");
  return { id, response };
};
