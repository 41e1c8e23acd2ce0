/** Layers that came as plain tars, compressed for registries: once, and kept. */
import { createReadStream } from "node:fs";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { createGzip } from "node:zlib";
import { DurableFile } from "../base/durable-file.ts";
import type { DiffId } from "../base/ids.ts";
import { Locks } from "../base/lock.ts";
import { checkSpace, Gauge } from "./layer-writer.ts";
import type { KeptBlob, Layers } from "./layers.ts";

const CHUNK = 256 * 1024;
const prefix = ".compressing-";
/** Five times as fast as the usual 6, and a tenth larger. */
const level = 1;
const checkEvery = 64 * 1024 * 1024;

export class CompressedLayers {
  readonly #layers: Layers;
  readonly #directory: string;
  readonly #locks = new Locks();

  private constructor(directory: string, layers: Layers) {
    this.#layers = layers;
    this.#directory = directory;
  }

  /** Holds afterwards: what a crash left half done is gone. */
  static async open(root: string, layers: Layers): Promise<CompressedLayers> {
    const directory = join(root, "blobs");
    for (const name of await readdir(directory)) {
      if (name.startsWith(prefix)) await rm(join(directory, name), { recursive: true, force: true });
    }
    return new CompressedLayers(directory, layers);
  }

  /** Bytes of the layer that registries take; the caller holds it. */
  async get(diffId: DiffId, signal: AbortSignal | undefined): Promise<KeptBlob> {
    return await this.#locks.run(diffId, async () => {
      const [known] = this.#layers.keptOf(diffId);
      return known ?? (await this.#make(diffId, signal));
    });
  }

  async #make(diffId: DiffId, signal: AbortSignal | undefined): Promise<KeptBlob> {
    const place = await mkdtemp(join(this.#directory, prefix));
    try {
      const path = join(place, "blob");
      await using file = await DurableFile.create(path);
      const gauge = new Gauge();
      const source = createReadStream(this.#layers.place(diffId).tar, { highWaterMark: 1024 * 1024 });
      const gzip = createGzip({ level, chunkSize: CHUNK });
      const compressing = pipeline(source, gzip, signal === undefined ? {} : { signal });
      compressing.catch(() => {});
      let nextCheck = 0;
      for await (const bytes of gzip as AsyncIterable<Uint8Array>) {
        if (gauge.size >= nextCheck) {
          await checkSpace(place);
          nextCheck = gauge.size + checkEvery;
        }
        gauge.add(bytes);
        await file.write(bytes);
      }
      await compressing;
      await file.finish();
      const kept = { digest: gauge.digest(), size: gauge.size, diffId };
      await this.#layers.keep(path, kept);
      return kept;
    } finally {
      await rm(place, { recursive: true, force: true });
    }
  }
}
