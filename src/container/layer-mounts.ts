/** Layers as they are mounted in the store's namespace: each once, under its number, for all containers together. */
import { mkdirSync } from "node:fs";
import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import type { StackLayer } from "../image/layers.ts";
import { runErrand } from "../kernel/errand.ts";
import type { LayerFormat } from "../kernel/facts.ts";
import { closeHolder, type Holder, holderFile } from "../kernel/holder.ts";
import { type ProcessMark, StepFailure } from "../kernel/keeper.ts";
import { errnoMessage, errnos } from "../kernel/numbers/errno.ts";
import { unmountFlags } from "../kernel/numbers/mount.ts";
import { namespaces } from "../kernel/numbers/namespaces.ts";
import { noSlot, type Plan, type Step } from "../kernel/steps.ts";
import { containerError } from "./errors.ts";
import { planLayer } from "./layer-format.ts";
import type { ContainerRooms } from "./rooms.ts";

/** The name of the directory that stands in for the layers of an image that has none. */
export const emptyName = "empty";

const inStore = (holder: Holder, steps: readonly Step[]): Plan => ({
  outside: [{ step: "joinNamespace", path: holder.namespace, kind: namespaces.mount.flag }, ...steps],
  inside: [],
  after: [],
});

type LayerRooms = Pick<ContainerRooms, "root" | "run" | "holder" | "host">;

const markOf = ({ pid, startTime }: Holder): ProcessMark => ({ pid, startTime });

export class LayerMounts {
  readonly directory: string;
  readonly #format: LayerFormat;
  readonly #holder: Holder;
  readonly #errands: string;
  /** Settled when the layer is mounted; absent when it is not. */
  readonly #mounted = new Map<number, Promise<void>>();
  /** In whose namespace that is: after a holder was killed, it is another one's. */
  #mountedBy: ProcessMark;

  private constructor(directory: string, { run, holder, host }: LayerRooms) {
    this.directory = directory;
    this.#format = host.layerFormat;
    this.#errands = run;
    this.#holder = holder;
    this.#mountedBy = markOf(holder);
  }

  /** Finds what earlier daemons mounted, in whichever format: the namespace's own table says it. */
  static async open(rooms: LayerRooms): Promise<LayerMounts> {
    const directory = join(rooms.run, "layers");
    mkdirSync(join(directory, emptyName), { recursive: true, mode: 0o755 });
    const mounts = new LayerMounts(directory, rooms);
    const table = await readFile(`/proc/${rooms.holder.pid}/mountinfo`, "utf8");
    for (const line of table.split("\n")) {
      const path = line.split(" ")[4] ?? "";
      const name = path.startsWith(`${directory}/`) ? path.slice(directory.length + 1) : "";
      if (/^\d+$/.test(name)) mounts.#mounted.set(Number(name), Promise.resolve());
    }
    return mounts;
  }

  /** Holds afterwards: every layer of the stack is mounted; answers their names, in the stack's order. */
  async mount(stack: readonly StackLayer[]): Promise<readonly string[]> {
    await Promise.all(stack.map((layer) => this.#mount(layer)));
    return stack.map(({ number }) => String(number));
  }

  /** Holds afterwards: the layer is not mounted; fails while a container uses it. */
  async unmount(number: number): Promise<void> {
    const mounted = this.#mounted.get(number);
    if (mounted === undefined) return;
    await mounted;
    const path = join(this.directory, String(number));
    this.#mounted.delete(number);
    await runErrand(
      this.#holder,
      this.#errands,
      inStore(this.#holder, [
        { step: "unmount", path, flags: unmountFlags.UMOUNT_NOFOLLOW | unmountFlags.MNT_DETACH },
        { step: "removeDirectory", path },
      ]),
    );
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
      ...planLayer(this.#format, layer, target),
    ]);
    try {
      await runErrand(this.#holder, this.#errands, plan);
    } catch (error) {
      if (!(error instanceof StepFailure)) throw error;
      const what = plan[error.lane][error.index]?.step ?? "the plan";
      throw containerError(
        "layerUnmountable",
        { diffId: layer.diffId, what, reason: errnoMessage(error.errno) },
        error,
      );
    }
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
