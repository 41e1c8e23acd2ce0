/** Layers of stored images, mounted as containers get them: in the store's namespace of a holder of its own. */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { release, tmpdir } from "node:os";
import { join } from "node:path";
import { emptyName, LayerMounts } from "../../src/container/layer-mounts.ts";
import type { Images } from "../../src/image/images.ts";
import type { ImageRecord } from "../../src/image/record.ts";
import type { LayerFormat } from "../../src/kernel/facts.ts";
import { Holding, holderFile, startTimeOf } from "../../src/kernel/holder.ts";
import type { Listing } from "../format/layers.ts";
import type { TestImages } from "../image/rooms.ts";
import { keeperProgram, until } from "./keepers.ts";
import { loopDevices } from "./leaks.ts";
import type { Mounter } from "./mounted.ts";

/** Why layers cannot be mounted in this way here, or false. Tests say it by the version, so that what fails is not skipped. */
export const cannotMountAs = (format: LayerFormat): string | false => {
  const [major = 0, minor = 0] = release().split(".").map(Number);
  if (format === "file" && (major < 6 || (major === 6 && minor < 12)))
    return "Linux 6.12 mounts file systems from files";
  return format === "loop" && !existsSync("/dev/loop-control") ? "there is no /dev/loop-control" : false;
};

/** The kernel has taken away every loop device over a file of the root. */
export const noLoopDevices = ({ root }: TestImages): Promise<void> =>
  until(
    () => loopDevices(root).size === 0,
    () => `left: ${[...loopDevices(root).keys()].join(", ")}`,
  );

export class LayerHost implements AsyncDisposable {
  readonly holder: Holding;
  readonly run: string;
  readonly #room: TestImages;
  readonly #listening: () => void;
  #mounts: LayerMounts;
  #format: LayerFormat;

  private constructor(room: TestImages, run: string, holder: Holding, mounts: LayerMounts, format: LayerFormat) {
    this.#room = room;
    this.run = run;
    this.holder = holder;
    this.#mounts = mounts;
    this.#format = format;
    this.#listening = room.images.layers.onRemove((layer) => void this.#mounts.remove(layer));
  }

  static async open(room: TestImages, format: LayerFormat): Promise<LayerHost> {
    const run = mkdtempSync(join(tmpdir(), "pier-run-"));
    const holder = await Holding.open(keeperProgram, holderFile(run));
    const mounts = await LayerMounts.open({
      root: room.root,
      run,
      holder,
      images: room.images,
      host: { layerFormat: format },
    });
    return new LayerHost(room, run, holder, mounts, format);
  }

  /** As the next daemon finds it, in the same format or another one. */
  async reopen(format = this.#format): Promise<void> {
    const { root, images } = this.#room;
    this.#format = format;
    this.#mounts = await LayerMounts.open({
      root,
      run: this.run,
      holder: this.holder,
      images,
      host: { layerFormat: format },
    });
  }

  /** Another holder has taken the place of one that was killed; nothing is mounted in its namespace. */
  async killHolder(): Promise<void> {
    const { pid, startTime } = this.holder;
    process.kill(pid, "SIGKILL");
    while (startTimeOf(pid) === startTime) await new Promise((resolve) => setImmediate(resolve));
    await this.holder.wake();
  }

  /** As when the daemon is killed at this moment: it does nothing any more. */
  die(): void {
    this.#listening();
  }

  get images(): Images {
    return this.#room.images;
  }

  get mounts(): LayerMounts {
    return this.#mounts;
  }

  /** Holds afterwards: the image's layers are mounted; answers their names, the topmost first. */
  mount({ layers }: Pick<ImageRecord, "layers">): Promise<readonly string[]> {
    return this.#mounts.mount(this.images.layers.stack(layers));
  }

  /** The tree of an image as a container gets it. */
  async list(mounter: Mounter, image: ImageRecord): Promise<Listing> {
    const names = await this.mount(image);
    return mounter.listMounted(this.holder.namespace, this.#mounts.directory, [...names, emptyName]);
  }

  /** The types of what is mounted in the store: `erofs`, or that of the file system on which directories are. */
  mounted(): readonly string[] {
    return readFileSync(`/proc/${this.holder.pid}/mountinfo`, "utf8")
      .split("\n")
      .filter((line) => line.includes(` ${this.#mounts.directory}/`));
  }

  /** Everything that a mounted layer takes beside its tar and index. */
  traces(): readonly string[] {
    return [
      ...this.mounted(),
      ...loopDevices(this.#room.root).keys(),
      ...readdirSync(join(this.#room.root, "extracted")),
      ...readdirSync(this.#mounts.directory).filter((name) => name !== emptyName),
    ];
  }

  /** Nothing is left of any mounted layer, as soon as the kernel has taken it away. */
  noTraces(): Promise<void> {
    return until(
      () => this.traces().length === 0,
      () => `left: ${this.traces().join(", ")}`,
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listening();
    await this.#mounts.close();
    rmSync(this.run, { recursive: true, force: true });
  }
}
