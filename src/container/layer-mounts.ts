/** Layers as they are mounted in the store's namespace: each once, under its number, for all containers together. */
import { mkdirSync } from "node:fs";
import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import type { StackLayer } from "../image/layers.ts";
import { runErrand } from "../kernel/errand.ts";
import type { LayerFormat } from "../kernel/facts.ts";
import { closeHolder, type Holder, holderFile } from "../kernel/holder.ts";
import type { ProcessMark } from "../kernel/keeper.ts";
import { errnos } from "../kernel/numbers/errno.ts";
import { unmountFlags } from "../kernel/numbers/mount.ts";
import { namespaces } from "../kernel/numbers/namespaces.ts";
import { noSlot, type Plan, type Step } from "../kernel/steps.ts";
import { LayerDirectories } from "./layer-directories.ts";
import { runForLayer } from "./layer-errand.ts";
import { type LayerSource, planLayer } from "./layer-format.ts";
import type { ContainerRooms } from "./rooms.ts";

/** The name of the directory that stands in for the layers of an image that has none. */
export const emptyName = "empty";

const inStore = (holder: Holder, steps: readonly Step[]): Plan => ({
  outside: [{ step: "joinNamespace", path: holder.namespace, kind: namespaces.mount.flag }, ...steps],
  inside: [],
  after: [],
});

type LayerRooms = Pick<ContainerRooms, "root" | "run" | "holder" | "images"> & {
  readonly host: Pick<ContainerRooms["host"], "layerFormat">;
};

/** Success is that nothing is mounted there any more; who else has it, keeps it. */
const unmountSteps = (path: string): readonly Step[] => [
  {
    step: "unmount",
    path,
    flags: unmountFlags.UMOUNT_NOFOLLOW | unmountFlags.MNT_DETACH,
    tolerate: [errnos.EINVAL.number, errnos.ENOENT.number],
  },
  { step: "removeDirectory", path, tolerate: [errnos.ENOENT.number] },
];

const markOf = ({ pid, startTime }: Holder): ProcessMark => ({ pid, startTime });

export class LayerMounts {
  readonly directory: string;
  readonly #format: LayerFormat;
  readonly #directories: LayerDirectories;
  readonly #holder: Holder;
  readonly #errands: string;
  /** Settled when the layer is mounted; absent when it is not. */
  readonly #mounted = new Map<number, Promise<void>>();
  /** In whose namespace that is: after a holder was killed, it is another one's. */
  #mountedBy: ProcessMark;

  private constructor(directory: string, { run, holder, host }: LayerRooms, directories: LayerDirectories) {
    this.directory = directory;
    this.#directories = directories;
    this.#format = host.layerFormat;
    this.#errands = run;
    this.#holder = holder;
    this.#mountedBy = markOf(holder);
  }

  /** Finds what earlier daemons mounted, in whichever format: the namespace's own table says it. What is not stored goes. */
  static async open(rooms: LayerRooms): Promise<LayerMounts> {
    const directory = join(rooms.run, "layers");
    mkdirSync(join(directory, emptyName), { recursive: true, mode: 0o755 });
    const mounts = new LayerMounts(directory, rooms, await LayerDirectories.open(rooms));
    const table = await readFile(`/proc/${rooms.holder.pid}/mountinfo`, "utf8");
    for (const line of table.split("\n")) {
      const path = line.split(" ")[4] ?? "";
      const name = path.startsWith(`${directory}/`) ? path.slice(directory.length + 1) : "";
      if (/^\d+$/.test(name)) mounts.#mounted.set(Number(name), Promise.resolve());
    }
    const stored = new Set(rooms.images.layers.all().map(({ number }) => number));
    for (const number of mounts.#mounted.keys()) if (!stored.has(number)) await mounts.#unmount(number);
    return mounts;
  }

  /** Holds afterwards: every layer of the stack is mounted; answers their names, in the stack's order. */
  async mount(stack: readonly StackLayer[]): Promise<readonly string[]> {
    await Promise.all(stack.map((layer) => this.#mount(layer)));
    return stack.map(({ number }) => String(number));
  }

  /** Holds afterwards: of a layer that is no longer stored, nothing is mounted and no directory is left. */
  async remove({ diffId, number }: StackLayer): Promise<void> {
    const emptied = this.#directories.remove(diffId);
    await Promise.all([emptied, this.#unmount(number)]);
  }

  async #unmount(number: number): Promise<void> {
    const mounted = this.#mounted.get(number);
    if (mounted === undefined) return;
    await mounted.catch(() => {});
    this.#mounted.delete(number);
    await this.#runInStore(unmountSteps(join(this.directory, String(number))));
  }

  /** Holds afterwards: the namespace is gone with everything that is mounted in it. */
  async close(): Promise<void> {
    await closeHolder(this.#holder, holderFile(this.#errands));
    await rm(this.directory, { recursive: true, force: true });
  }

  #mount(layer: StackLayer): Promise<void> {
    const mark = markOf(this.#holder);
    if (mark.pid !== this.#mountedBy.pid || mark.startTime !== this.#mountedBy.startTime) this.#mounted.clear();
    this.#mountedBy = mark;
    const known = this.#mounted.get(layer.number);
    if (known !== undefined) return known;
    const mounting = this.#mountNow(layer);
    this.#mounted.set(layer.number, mounting);
    mounting.catch(() => this.#mounted.delete(layer.number));
    return mounting;
  }

  async #mountNow(layer: StackLayer): Promise<void> {
    const target = join(this.directory, String(layer.number));
    const plan = inStore(this.#holder, [
      { step: "makeDirectory", path: target, mode: 0o755, tolerate: [errnos.EEXIST.number] },
      ...planLayer(await this.#source(layer), target),
    ]);
    try {
      await runForLayer(this.#holder, this.#errands, layer, plan);
    } catch (error) {
      await this.#runInStore(unmountSteps(target)).catch(() => {});
      throw error;
    }
  }

  async #source(layer: StackLayer): Promise<LayerSource> {
    if (this.#format !== "directory") return { format: this.#format, ...layer };
    return { format: "directory", files: await this.#directories.get(layer) };
  }

  async #runInStore(steps: readonly Step[]): Promise<void> {
    await runErrand(this.#holder, this.#errands, inStore(this.#holder, steps));
  }
}

/** A lane of one clone, beneath the layers and the container's own changes: for reading what a stopped container wrote. */
export const planReading = (holder: Holder, root: readonly Step[], reads: readonly Step[]): Plan => ({
  outside: [
    { step: "joinNamespace", path: holder.namespace, kind: namespaces.mount.flag },
    { step: "clone", namespaces: namespaces.mount.flag, cgroup: noSlot },
  ],
  inside: [...root, ...reads],
  after: [],
});
