/** From a record to a plan: facts first, then pure planning. */
import { existsSync } from "node:fs";
import type { ImageRecord } from "../image/images.ts";
import type { StackLayer } from "../image/layers.ts";
import { Tree } from "../image/tree.ts";
import { cgroupMounts } from "../kernel/cgroup/mounts.ts";
import { planCgroup } from "../kernel/cgroup/plan.ts";
import { runErrand } from "../kernel/errand.ts";
import { errnos } from "../kernel/numbers/errno.ts";
import { compileSeccomp } from "../kernel/seccomp/compile.ts";
import { specifyRules } from "../kernel/seccomp/specified.ts";
import type { Plan, Step } from "../kernel/steps.ts";
import { planNames, resolverPort } from "../network/dns/plan.ts";
import type { Endpoint } from "../network/endpoint.ts";
import { closeDoors } from "../network/firewalls.ts";
import type { Networks } from "../network/networks.ts";
import type { VolumePlace } from "../volume/record.ts";
import { collectFacts, type RootTree } from "./facts.ts";
import { emptyName, type LayerMounts, planReading } from "./layer-mounts.ts";
import { asksPier } from "./listings.ts";
import { logAttributes } from "./log-attributes.ts";
import { planLogSender } from "./log-sender.ts";
import { planVisitMounts, volumeMounts } from "./mounts.ts";
import { networkFiles } from "./network-files.ts";
import { encodeConfig } from "./oci/config-json.ts";
import type { OciSeccomp, OciSpec } from "./oci/spec.ts";
import { Parents } from "./parents.ts";
import { type ContainerPaths, containerPaths, rootMountpoint } from "./paths.ts";
import { type ContainerPlace, planContainer } from "./plan.ts";
import { planRoot, type RootPlace } from "./plan-mounts.ts";
import { type ContainerRecord, goesAtEnd } from "./record.ts";
import { type CreateRequest, hasInit } from "./request.ts";
import type { ContainerRooms } from "./rooms.ts";
import { runtimePlace } from "./runtime-place.ts";
import { planBundle, planByRuntime, planForget, type RuntimePlace } from "./runtime-plan.ts";
import { type ContainerFacts, planSpec } from "./spec.ts";
import { resolveUser, type User, userFileLimit } from "./users.ts";
import type { StoppedPlace } from "./visit-plan.ts";

/** The group above those of all containers, unless one asks for another: each daemon of a host has its own. */
export const cgroupParentOf = ({ host: { name } }: Networks): string => (name === "pier" ? "/pier" : `/pier-${name}`);

/** Everything that a start needs, planned and not yet done. */
export interface Prepared {
  readonly spec: OciSpec;
  readonly plan: Plan;
}

export interface LaunchInput {
  readonly record: ContainerRecord;
  readonly image: LaunchImage;
  readonly endpoints: readonly Endpoint[];
  /** Where the container's volumes lie, by name. */
  readonly volumes: ReadonlyMap<string, VolumePlace>;
  /** The namespaces of other containers that are joined. */
  readonly joined?: ContainerFacts["joined"];
  /** The containers that it is linked to. */
  readonly linked?: ContainerFacts["linked"];
  /** It is a job. */
  readonly job?: JobPlace;
}

export interface JobPlace {
  /** What others have written over the image before, the last first: read by this one and changed by nobody any more. */
  readonly uppers: readonly string[];
}

/** What of an image a start needs. */
export type LaunchImage = Pick<ImageRecord, "id" | "config" | "layers">;

const ownNamespaces: CreateRequest["namespaces"] = {
  pid: { kind: "private" },
  ipc: { kind: "private" },
  uts: { kind: "private" },
  cgroup: { kind: "private" },
  user: "",
};

/** What is asked of a container's own files before it starts. */
const userFiles: readonly string[] = ["/etc/passwd", "/etc/group"];

export class Launcher {
  readonly #rooms: ContainerRooms;
  readonly #mounts: LayerMounts;
  readonly parents: Parents;

  private constructor(rooms: ContainerRooms, mounts: LayerMounts, parents: Parents) {
    this.#rooms = rooms;
    this.#mounts = mounts;
    this.parents = parents;
  }

  static async open(rooms: ContainerRooms, mounts: LayerMounts): Promise<Launcher> {
    return new Launcher(rooms, mounts, await Parents.open(rooms, cgroupParentOf(rooms.networks)));
  }

  /** The plan of a container, made from values and read-only looks alone. */
  async prepare(input: LaunchInput): Promise<Prepared> {
    const { record, image, endpoints, job } = input;
    const uppers = job?.uppers ?? [];
    const { host, holder } = this.#rooms;
    const paths = containerPaths(this.#rooms, record.id);
    const stack = this.#rooms.images.layers.stack(image.layers);
    // Of a job, what it wrote is read as soon as it has ended, by us.
    const isVolatile = record.request.autoRemove || job !== undefined;
    const root = this.#rootPlace(paths, stack, uppers, isVolatile);
    const tree: RootTree =
      isFresh(paths) && uppers.length === 0
        ? Tree.open(stack)
        : await this.#readWritten(job === undefined ? { ...root, volatile: false } : { ...root, upper: "" }, stack);
    const facts = await collectFacts(record.request, {
      id: record.id,
      directory: paths.directory,
      cgroupParent: this.parents.usual,
      tree,
      volumes: input.volumes,
      ...(input.joined === undefined ? {} : { joined: input.joined }),
      ...(input.linked === undefined ? {} : { linked: input.linked }),
    });
    const spec = await this.#withImageEnv(planSpec(record.request, image.config, facts, host), image);
    const cgroup = planCgroup(host.cgroup, spec.linux.cgroupsPath, spec.linux.resources);
    const place: ContainerPlace = {
      id: record.id,
      holder: { pid: holder.pid, startTime: holder.startTime },
      root,
      controlPath: paths.control,
      exitPath: paths.exit,
      log: logPlace(record, paths),
      logSender: await planLogSender(record, host.hostname),
      stdin: stdinOf(record),
      directories: directoriesOf(record, paths, facts),
      files: networkFiles(record, spec, paths, endpoints, {
        hostname: host.hostname,
        linked: input.linked ?? [],
        hostGateway: this.#rooms.networks.hostGateway(),
        ipv6: this.#rooms.networks.host.ipv6,
      }),
      cgroup,
      cgroupSlot: cgroup.slot,
      cgroupMounts: cgroupMounts(host.cgroup, isOwnCgroup(spec) ? cgroup.paths : undefined),
      subpaths: subpathsOf(record),
      network: this.#planNetwork(record, endpoints),
      seccomp: compiledFilter(spec.linux.seccomp, spec.process.capabilities.bounding, host),
      init: hasInit(record.request),
    };
    const runtime = runtimePlace(this.#rooms, record, spec);
    const plan =
      runtime === undefined
        ? planContainer(spec, place)
        : planByRuntime(spec, place, runtime, bundleConfig(spec, root, runtime, host));
    return { spec, plan: goesAtEnd(record) ? withRemoval(plan, paths) : plan };
  }

  /** All that is to be taken away when a container has ended that runs already, with these endpoints. */
  planAfter(record: ContainerRecord, spec: OciSpec, endpoints: readonly Endpoint[]): readonly Step[] {
    const { after } = planCgroup(this.#rooms.host.cgroup, spec.linux.cgroupsPath, spec.linux.resources);
    const runtime = runtimePlace(this.#rooms, record, spec);
    const forgotten = runtime === undefined ? [] : planForget(record.id, runtime);
    const plan: Plan = {
      outside: [],
      inside: [],
      after: [...after, ...this.#planNetwork(record, endpoints).after, ...forgotten],
    };
    return (goesAtEnd(record) ? withRemoval(plan, containerPaths(this.#rooms, record.id)) : plan).after;
  }

  /** Throws what can be said about a request before anything of it is made: sources, devices, targets, options. */
  async check(record: ContainerRecord, image: ImageRecord): Promise<void> {
    const { directory } = containerPaths(this.#rooms, record.id);
    // Who the user is, and whose namespaces are joined, is only known at the start.
    const network = { ...record.request.network, ...(isShared(record) ? { mode: "none" as const } : {}) };
    const request = { ...record.request, user: "", groups: [], namespaces: ownNamespaces, network };
    const tree: RootTree = { read: () => undefined };
    const place = { id: record.id, directory, cgroupParent: this.parents.usual, volumes: new Map() };
    const facts = await collectFacts(request, { ...place, tree });
    planSpec(request, { ...image.config, User: "" }, facts, this.#rooms.host);
  }

  /** Holds afterwards: nothing of what containers have in common is left on the host. */
  async close(): Promise<void> {
    const { holder, run, networks } = this.#rooms;
    await runErrand(holder, run, networks.removal());
    await closeDoors(networks.host.name).catch(() => {});
    await this.parents.close();
    await this.#mounts.close();
  }

  /** Holds afterwards: the layers that the plan names are mounted. */
  async mountLayers(image: LaunchImage): Promise<void> {
    await this.#mounts.mount(this.#rooms.images.layers.stack(image.layers));
  }

  /** What a visitor of a container that does not run needs; its layers are mounted. */
  async placeOf(record: ContainerRecord, volumes: ReadonlyMap<string, VolumePlace>): Promise<StoppedPlace> {
    const paths = containerPaths(this.#rooms, record.id);
    const stack = this.#rooms.images.layers.stack(this.#rooms.images.withId(record.image.id).layers);
    await this.#mounts.mount(stack);
    return {
      holder: this.#rooms.holder,
      root: this.#rootPlace(paths, stack, [], false),
      hasUpper: !isFresh(paths),
      mounts: planVisitMounts(record.request, volumes, paths.directory),
      subpaths: subpathsOf(record),
    };
  }

  /** Who the container's programs run as, by what its files say now. */
  async userOf(record: ContainerRecord): Promise<User> {
    const { request, image } = record;
    const { layers, config } = this.#rooms.images.withId(image.id);
    const paths = containerPaths(this.#rooms, record.id);
    const stack = this.#rooms.images.layers.stack(layers);
    // Of one that runs, the image's are known without looking into it.
    const tree: RootTree =
      isFresh(paths) || record.state.status === "running"
        ? Tree.open(stack)
        : await this.#readWritten(this.#rootPlace(paths, stack, [], false), stack);
    const [passwd, group] = await Promise.all([
      tree.read("/etc/passwd", userFileLimit),
      tree.read("/etc/group", userFileLimit),
    ]);
    return resolveUser(request.user || config.User, { passwd, group }, []);
  }

  #rootPlace(
    paths: ContainerPaths,
    stack: readonly StackLayer[],
    uppers: readonly string[],
    volatile: boolean,
  ): RootPlace {
    return {
      layersDirectory: this.#mounts.directory,
      layers: [...uppers, ...stack.map(({ number }) => String(number))],
      emptyName,
      upper: paths.upper,
      work: paths.work,
      mountpoint: rootMountpoint(this.#rooms.run),
      volatile,
    };
  }

  /** A stopped container may have new users: its own files are read beneath its root, by the kernel's rules. */
  async #readWritten(root: RootPlace, stack: readonly StackLayer[]): Promise<RootTree> {
    await this.#mounts.mount(stack);
    const missing = [errnos.ENOENT, errnos.ENOTDIR, errnos.EINVAL, errnos.EFBIG].map(({ number }) => number);
    const reads = userFiles.map(
      (path, index): Step => ({
        step: "readFile",
        index,
        path,
        limit: userFileLimit,
        tolerate: missing,
      }),
    );
    const keeper = await runErrand(
      this.#rooms.holder,
      this.#rooms.run,
      planReading(this.#rooms.holder, planRoot(root), reads),
    );
    return { read: (path) => keeper.bytes(userFiles.indexOf(path)) };
  }

  async #withImageEnv(spec: OciSpec, image: LaunchImage): Promise<OciSpec> {
    const more = (await this.#rooms.imageEnv?.(image.id)) ?? [];
    return more.length === 0 ? spec : { ...spec, process: { ...spec.process, env: [...spec.process.env, ...more] } };
  }

  /** Whose network namespace is somebody else's has nothing to say about it. */
  #planNetwork({ id, request }: ContainerRecord, endpoints: readonly Endpoint[]): ContainerPlace["network"] {
    const { networks, names } = this.#rooms;
    const isOwn = request.network.mode === "none" || request.network.mode === "bridge";
    if (!isOwn) return { early: [], outside: [], inside: [], after: [] };
    const { early, outside, inside, after } = networks.plan(endpoints);
    if (!asksPier(endpoints)) return { early, outside, inside, after };
    const named = planNames(resolverPort(id), names.tableOf(id));
    return { early, outside: [...outside, ...named.outside], inside: [...inside, ...named.inside], after };
  }
}

/** What a container has written; undefined where it has not begun to. */
export const existingUpper = (rooms: { root: string; run: string }, id: ContainerRecord["id"]): string | undefined => {
  const { upper } = containerPaths(rooms, id);
  return existsSync(upper) ? upper : undefined;
};

/** Nobody has run in it yet, and the image alone says what is in it: the last of its own directories is not made. */
const isFresh = (paths: ContainerPaths): boolean => !existsSync(paths.work);

const isShared = ({ request }: ContainerRecord): boolean => request.network.mode === "container";

const isOwnCgroup = ({ linux }: OciSpec): boolean => linux.namespaces.some(({ type }) => type === "cgroup");

/** What `--rm` promises holds without a daemon too: the keeper itself takes the container's files away. */
const withRemoval = (plan: Plan, paths: ContainerPaths): Plan => ({
  ...plan,
  after: [...plan.after, { step: "removeTree", path: paths.directory, tolerate: [errnos.ENOENT.number] }],
});

const logPlace = (record: ContainerRecord, paths: ContainerPaths): ContainerPlace["log"] => {
  const { driver, maxSize, maxFiles, compress = false, options } = record.request.log;
  if (driver === "none" || maxFiles === 0) return undefined;
  const attributes = logAttributes(record, options);
  return { path: paths.log, maxSize: Math.max(maxSize, 0), maxFiles, compress, attributes };
};

const subpathsOf = ({ request }: ContainerRecord): ReadonlyMap<string, string> =>
  new Map(
    volumeMounts(request)
      .filter(({ subpath }) => subpath !== "")
      .map(({ target, subpath }) => [target, subpath]),
  );

const stdinOf = ({ request }: ContainerRecord): "none" | "open" | "once" => {
  if (!request.openStdin) return "none";
  return request.stdinOnce ? "once" : "open";
};

/** What is there already is left as it is. */
const directoriesOf = (
  { request }: ContainerRecord,
  paths: ContainerPaths,
  facts: ContainerFacts,
): readonly { readonly path: string; readonly mode: number }[] => {
  const sources = request.mounts.flatMap((mount) =>
    mount.kind === "bind" && mount.createSource && facts.sources[mount.source]?.kind === "missing"
      ? waysTo(mount.source)
      : [],
  );
  return [
    { path: paths.directory, mode: 0o700 },
    // The mode of the root of every container, whatever its image says: as in Docker.
    { path: paths.upper, mode: 0o755 },
    { path: paths.work, mode: 0o700 },
    ...sources.map((path) => ({ path, mode: 0o755 })),
  ];
};

/** `/a/b/c` → `/a`, `/a/b`, `/a/b/c`. */
const waysTo = (path: string): readonly string[] => {
  const names = path.split("/").filter((name) => name !== "");
  return names.map((_, index) => `/${names.slice(0, index + 1).join("/")}`);
};

/** The bundle's `config.json`, with the filter as the runtime's own compiler wants it. */
const bundleConfig = (spec: OciSpec, root: RootPlace, runtime: RuntimePlace, host: ContainerRooms["host"]): string => {
  const { seccomp } = spec.linux;
  const rules = seccomp === undefined ? undefined : specifyRules(seccomp, spec.process.capabilities.bounding, host);
  return encodeConfig(planBundle(spec, runtime, root.mountpoint), rules);
};

/** The filter for these capabilities, or none; compiled once and then remembered by its room. */
export const compiledFilter = (
  seccomp: OciSeccomp | undefined,
  capabilities: readonly string[],
  host: ContainerRooms["host"],
): ContainerPlace["seccomp"] => (seccomp === undefined ? undefined : compileSeccomp(seccomp, capabilities, host));
