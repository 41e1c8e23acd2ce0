/** RUN: a job on the files of the stage; what it writes is the step's layer. */
import { chmod, chown, writeFile } from "node:fs/promises";
import { join, posix } from "node:path";
import { isStepFailure } from "../container/failure.ts";
import { extractedFiles, prepareExtraction } from "../container/layer-extraction.ts";
import type { CreateRequest } from "../container/request.ts";
import { parseCreateRequest } from "../container/request-parse.ts";
import { writeTar } from "../format/tar/write.ts";
import { runErrand } from "../kernel/errand.ts";
import { errnos } from "../kernel/numbers/errno.ts";
import { AgentSocket } from "./agents.ts";
import type { CacheBase } from "./cache-mounts.ts";
import { storeArchive } from "./context.ts";
import { planCopy } from "./copy.ts";
import { outputsOf, type SourceFinder } from "./copy-step.ts";
import { chomp, parseOpening } from "./dockerfile/heredocs.ts";
import type { ExpandedRun } from "./dockerfile/instructions.ts";
import type { RunMount } from "./dockerfile/mounts.ts";
import { buildError } from "./errors.ts";
import { BuildFailure } from "./failure.ts";
import type { Part, StageFiles } from "./files.ts";
import { dependOnItems, keyOf } from "./keys.ts";
import { hostPlatform, platformText } from "./platform.ts";
import type { RunningStep } from "./report.ts";
import { secretId } from "./secrets.ts";
import type { Shop } from "./shop.ts";
import { withoutStubs } from "./stubs.ts";
import { commandLine, shellOf, type WorkingImage } from "./working-image.ts";

export interface RunInput {
  readonly shop: Shop;
  readonly instruction: ExpandedRun;
  readonly image: WorkingImage;
  readonly files: StageFiles;
  /** `NAME=value`, and what of it is in no key. */
  readonly env: readonly string[];
  readonly secretEnv: readonly string[];
  readonly sources: SourceFinder;
  readonly running: RunningStep;
}

interface Script {
  readonly args: readonly string[];
  /** A program that was written in the Dockerfile, with its own interpreter. */
  readonly program?: string;
}

const scriptPath = "/dev/pipes/EOF";

/** What is run: a heredoc that is all there is to it is the script itself. */
const scriptOf = ({ config }: WorkingImage, { command, heredocs }: ExpandedRun): Script => {
  const [first] = heredocs;
  if (!command.isShell || first === undefined) return { args: commandLine(config, command) };
  const line = command.args[0] ?? "";
  const isAlone = heredocs.length === 1 && parseOpening(line) !== undefined;
  if (!isAlone) {
    const whole = [line, ...heredocs.map(({ content, name }) => `${content}${name}`)].join("\n");
    return { args: [...shellOf(config), whole] };
  }
  const content = first.chomps ? chomp(first.content) : first.content;
  return content.startsWith("#!") ? { args: [scriptPath], program: content } : { args: [...shellOf(config), content] };
};

/** As history tells it. */
export const toldCommand = (image: WorkingImage, instruction: ExpandedRun): string => {
  const { args, program } = scriptOf(image, instruction);
  return program === undefined ? args.join(" ") : [...shellOf(image.config), scriptPath].join(" ");
};

/** A part of a body of `POST /containers/create`. */
type Body = Readonly<Record<string, unknown>>;

export const runStep = async (input: RunInput): Promise<StageFiles> => {
  const { shop, instruction, image, files, running } = input;
  checkAllowed(input);
  const script = scriptOf(image, instruction);
  dependOn(input, script);
  const binds = await Promise.all(instruction.mounts.filter(hasFiles).map((mount) => planBind(input, mount)));
  const key = keyOf("RUN", [
    ...[files.key, script, input.env, image.config.User, image.config.WorkingDir, networkOf(input)],
    ...[instruction.mounts.map(withoutSecrets), binds.map(({ digest }) => digest), shop.epoch ?? null],
    ...(instruction.security === "insecure" ? [instruction.security] : []),
    ...ownHostname(input).map((name) => `hostname=${name}`),
  ]);
  const part = await shop.once(key, running, () => makePart(input, { script, binds, key }));
  return files.with(part, key);
};

interface PlannedRun {
  readonly script: Script;
  readonly binds: readonly PlannedBind[];
  readonly key: string;
}

const makePart = async (input: RunInput, { script, binds, key }: PlannedRun): Promise<Part> => {
  const { shop, instruction, image, files, running } = input;
  const targets = instruction.mounts.map((mount) => targetOf(mount, image));
  const job = await withMounts(input, binds, (mounts) => runJob(input, script, mounts));
  shop.keep(job.id);
  if (job.exitCode !== 0) {
    const command = script.args.join(" ");
    throw new BuildFailure(buildError("runFailed", { command, code: job.exitCode }), instruction, job.exitCode);
  }
  const below = () => files.tree();
  const storing = shop.store(withoutStubs(shop.written(job.upper), targets, below));
  // What was made to mount on is not there for the next step: that one waits until it has been left out.
  return shop.part(key, running, storing, targets.length === 0 ? job : undefined);
};

/** Whether what is mounted has files of a stage, an image or the context, as a cache has at its beginning. */
const hasFiles = ({ type, from, source }: RunMount): boolean =>
  type === "bind" || (type === "cache" && (from !== "" || source !== ""));

/** Who builds says what goes beyond the walls of every container. */
const checkAllowed = ({ shop, instruction }: RunInput): void => {
  const needed = [
    ...(instruction.security === "insecure" ? ["security.insecure"] : []),
    ...(instruction.network === "host" && shop.request.host.NetworkMode !== "host" ? ["network.host"] : []),
  ];
  const missing = needed.find((entitlement) => !shop.request.allowed.has(entitlement));
  if (missing !== undefined) throw buildError("notAllowed", { entitlement: missing });
};

/** The parts of the key, by the names that whoever asks why knows them by. */
const dependOn = (input: RunInput, script: Script): void => {
  const { shop, instruction, image, files, env, running } = input;
  running.standsOn(files.key);
  running.depends([
    ["the command", JSON.stringify(script)],
    ["USER", image.config.User],
    ["WORKDIR", image.config.WorkingDir],
    ["SOURCE_DATE_EPOCH", String(shop.epoch ?? "")],
    ["the network", JSON.stringify(networkOf(input))],
    ...ownHostname(input).map((name) => ["the hostname", name] as const),
    ["the mounts", JSON.stringify(instruction.mounts.map(withoutSecrets))],
    ...env.map((variable) => [`variable ${variable.split("=", 1)[0]!}`, variable] as const),
  ]);
};

const withoutSecrets = ({ type, target, source, from, readonly, id, sharing, env, mode, uid, gid, size }: RunMount) => [
  ...[type, target ?? null, source, from, readonly, id ?? null, sharing, env ?? null, mode ?? null, uid, gid, size],
];

/** Where programs find the agent: at the first that is mounted. */
export const agentVariables = (image: WorkingImage, { mounts }: ExpandedRun): readonly string[] => {
  const first = mounts.find(({ type }) => type === "ssh");
  return first === undefined ? [] : [`SSH_AUTH_SOCK=${targetOf(first, image)}`];
};

const targetOf = ({ type, target, id }: RunMount, { config }: WorkingImage): string => {
  const own = type === "ssh" ? "buildkit/ssh_agent.0" : `secrets/${posix.basename(id ?? "default")}`;
  const path = target ?? `/run/${own}`;
  return posix.resolve("/", config.WorkingDir || "/", path);
};

/** What the program may use: as the build says, or the step itself. */
const hostOf = ({ shop, instruction: { network, security } }: RunInput): Body => ({
  ...shop.request.host,
  ...(security === "insecure" ? { Privileged: true } : {}),
  ...(network === "default" ? {} : { NetworkMode: network }),
});

/** Whom it can talk to: other than limits, which make it slower or fail, that is in what it makes. */
const networkOf = (input: RunInput): readonly unknown[] => {
  const { NetworkMode = "default", ExtraHosts = [] } = hostOf(input);
  return [NetworkMode, ExtraHosts];
};

/** What the build calls the machine of its steps, or nothing: then it is what it always is. */
const ownHostname = ({ shop }: RunInput): readonly string[] => {
  const name = shop.request.args.get("BUILDKIT_SANDBOX_HOSTNAME") ?? "";
  return name === "" ? [] : [name];
};

const runJob = async (input: RunInput, script: Script, mounts: readonly Body[]) => {
  const { shop, image, files, env, secretEnv, running } = input;
  const { config } = image;
  const programs = script.program === undefined ? [] : [await writeProgram(shop, script.program)];
  const request: CreateRequest = parseCreateRequest({
    Image: "scratch",
    // The same for every step, so that what it writes of it is, too.
    Hostname: ownHostname(input)[0] ?? "buildkitsandbox",
    Cmd: script.args,
    Env: [...env, ...secretEnv],
    User: config.User,
    WorkingDir: config.WorkingDir || "/",
    HostConfig: { ...hostOf(input), Mounts: [...mounts, ...programs], LogConfig: { Type: "none", Config: {} } },
  });
  const job = {
    request,
    ...(await files.lower()),
    output: (stream: string, data: Uint8Array) => running.say(stream === "stderr" ? "stderr" : "stdout", data),
    signal: shop.signal,
  };
  return await shop.rooms.jobs.run(job).catch((error: unknown) => {
    throw isForeign(image, error) ? foreignProgram(image, error) : error;
  });
};

/** Whether it failed for being a program of another machine, which an emulator would run. */
const isForeign = ({ platform }: WorkingImage, error: unknown): error is Error =>
  error instanceof Error &&
  isStepFailure(error.cause) &&
  error.cause.errno === errnos.ENOEXEC.number &&
  platform.architecture !== hostPlatform.architecture;

const foreignProgram = ({ platform }: WorkingImage, cause: Error): Error =>
  buildError("foreignProgram", { reason: cause.message, platform: platformText(platform) }, cause);

const writeProgram = async (shop: Shop, content: string): Promise<Body> => {
  const path = join(await shop.directory(), "program");
  await writeFile(path, content, { mode: 0o755 });
  await chmod(path, 0o755);
  return { Type: "bind", Source: path, Target: scriptPath, ReadOnly: true };
};

interface PlannedBind {
  readonly mount: RunMount;
  readonly digest: string;
  readonly items: ReturnType<typeof planCopy>;
  readonly isDirectory: boolean;
}

const planBind = async ({ sources, running }: RunInput, mount: RunMount): Promise<PlannedBind> => {
  // A cache without a stage or an image is empty, and has no such directory.
  if (mount.type === "cache" && mount.from === "") throw buildError("notFound", { path: mount.source });
  const source = await sources.find(mount.from);
  const pattern = `/${mount.source}`;
  if (source.tree.find(posix.resolve("/", mount.source)) === undefined) throw buildError("notFound", { path: pattern });
  const isDirectory = source.tree.find(posix.resolve("/", mount.source))?.type === "directory";
  if (mount.type === "cache" && !isDirectory) throw buildError("notADirectory", { path: pattern });
  const items = planCopy({
    name: "RUN --mount",
    sources: [{ ...source, pattern }],
    target: isDirectory ? "/" : "/file",
    workdir: "/",
    ...{ below: undefined, owner: undefined, mode: undefined, parents: false, exclude: [], several: false },
    time: { seconds: 0n, nanoseconds: 0 },
  });
  const digest = dependOnItems(running, items, mount.from === "" ? "/" : `${mount.from}:/`);
  return { mount, items, isDirectory, digest };
};

const bindOf = (Source: string, Target: string, ReadOnly: boolean): Body => ({
  ...{ Type: "bind", Source, Target, ReadOnly },
});

/** Runs the work with everything that it is to see beside its own files in place; nothing of that is in its layer. */
const withMounts = async <T>(
  { shop, instruction, image }: RunInput,
  binds: readonly PlannedBind[],
  work: (mounts: readonly Body[]) => Promise<T>,
): Promise<T> => {
  const caches = instruction.mounts.filter(({ type }) => type === "cache");
  using opened = new DisposableStack();
  const others: Body[] = [];
  for (const mount of instruction.mounts) {
    const Target = targetOf(mount, image);
    if (mount.type === "tmpfs") {
      others.push({ Type: "tmpfs", Target, ...(mount.size > 0 ? { TmpfsOptions: { SizeBytes: mount.size } } : {}) });
    } else if (mount.type === "secret") {
      const Source = await writeSecret(shop, mount);
      if (Source !== undefined) others.push(bindOf(Source, Target, true));
    } else if (mount.type === "ssh") {
      const agent = await openAgent(shop, mount);
      if (agent === undefined) continue;
      opened.use(agent);
      others.push(bindOf(agent.path, Target, false));
    }
  }
  const bases = new Map<RunMount, CacheBase>();
  for (const { mount, items, isDirectory, digest } of binds) {
    if (mount.type === "cache") {
      bases.set(mount, { digest, extract: () => extract(shop, items) });
      continue;
    }
    const files = await extract(shop, items);
    const Source = isDirectory ? files : join(files, "file");
    others.push(bindOf(Source, targetOf(mount, image), mount.readonly));
  }
  return await shop.rooms.cacheMounts.use(
    caches,
    shop.signal,
    (pathOf) =>
      work([...others, ...caches.map((mount) => bindOf(pathOf(mount), targetOf(mount, image), mount.readonly))]),
    (mount) => bases.get(mount),
  );
};

/** The client's agent at a socket, or undefined: it is not given, and need not be. */
const openAgent = async (shop: Shop, mount: RunMount): Promise<AgentSocket | undefined> => {
  const id = mount.id ?? "default";
  const { agents } = shop.request;
  if (!(await agents.has(id))) {
    if (mount.required) throw buildError("agentMissing", { id });
    return undefined;
  }
  const { uid, gid, mode = 0o600 } = mount;
  return AgentSocket.open(agents, id, await shop.secretDirectory(), { uid, gid, mode });
};

/** Undefined: it is not given, and need not be. */
const findSecret = async (shop: Shop, mount: RunMount): Promise<Uint8Array | undefined> => {
  const id = secretId(mount);
  const value = (await shop.request.secrets([id])).get(id);
  if (value === undefined && mount.required) throw buildError("secretMissing", { id });
  return value;
};

/** A secret as a file in memory, or undefined: it is not given, and need not be; or it goes into the environment. */
const writeSecret = async (shop: Shop, mount: RunMount): Promise<string | undefined> => {
  const value = await findSecret(shop, mount);
  if (value === undefined) return undefined;
  if (mount.env !== undefined && mount.target === undefined) return undefined;
  const path = join(await shop.secretDirectory(), "value");
  await writeFile(path, value, { mode: 0o400, flag: "wx" });
  await chown(path, mount.uid, mount.gid);
  await chmod(path, mount.mode ?? 0o400);
  return path;
};

/** The variables that secrets are. */
export const secretVariables = async (shop: Shop, { mounts }: ExpandedRun): Promise<readonly string[]> => {
  const variables: string[] = [];
  for (const mount of mounts) {
    if (mount.type !== "secret" || mount.env === undefined) continue;
    const value = await findSecret(shop, mount);
    // One that is not given is empty.
    variables.push(`${mount.env}=${value === undefined ? "" : Buffer.from(value).toString("utf8")}`);
  }
  return variables;
};

/** The files as a directory of the host's: the one place where a build unpacks anything, beneath its own directory. */
const extract = async (shop: Shop, items: ReturnType<typeof planCopy>): Promise<string> => {
  const [place, archive] = [await shop.directory(), await shop.directory()];
  const context = await storeArchive(writeTar(outputsOf(items)), archive);
  const { holder, run } = shop.rooms;
  await runErrand(holder, run, await prepareExtraction(context, place));
  return extractedFiles(place);
};
