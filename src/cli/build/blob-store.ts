/** A directory with an OCI layout, in which a cache of builds is kept. */
import { createHash } from "node:crypto";
import { createReadStream, existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { open } from "node:fs/promises";
import { join } from "node:path";
import { decodeJson, list, map, nullable, object, string } from "../../api/shape.ts";
import { cliError } from "../errors.ts";

const digestPattern = /^sha256:([0-9a-f]{64})$/;
const tagKey = "org.opencontainers.image.ref.name";
const indexType = "application/vnd.oci.image.index.v1+json";
const index = object({
  manifests: nullable(list(object({ digest: string, annotations: nullable(map(string)) }))),
});

export class BlobStore {
  readonly #directory: string;

  constructor(directory: string) {
    this.#directory = directory;
  }

  /** Where the blob is, or would be. */
  #path(digest: string): string {
    const hex = digestPattern.exec(digest)?.[1];
    if (hex === undefined) throw cliError("notADigest", { digest: digest.slice(0, 100) });
    return join(this.#directory, "blobs/sha256", hex);
  }

  has(digest: string): boolean {
    return existsSync(this.#path(digest));
  }

  read(digest: string): AsyncIterable<Buffer> {
    return createReadStream(this.#path(digest));
  }

  /** Holds afterwards: the blob is there, and is what its digest says. */
  async write(digest: string, pieces: AsyncIterable<Uint8Array>): Promise<void> {
    const path = this.#path(digest);
    mkdirSync(join(this.#directory, "blobs/sha256"), { recursive: true });
    const temporary = `${path}.pier-${process.pid}`;
    const hash = createHash("sha256");
    try {
      const file = await open(temporary, "w", 0o644);
      try {
        for await (const piece of pieces) {
          hash.update(piece);
          await file.writeFile(piece);
        }
      } finally {
        await file.close();
      }
      if (`sha256:${hash.digest("hex")}` !== digest) throw cliError("otherBlob", { digest });
      renameSync(temporary, path);
    } catch (error) {
      rmSync(temporary, { force: true });
      throw error;
    }
  }

  #manifests() {
    try {
      return index(decodeJson(readFileSync(join(this.#directory, "index.json"))), "index.json").manifests ?? [];
    } catch {
      // None yet, or somebody else's.
      return [];
    }
  }

  /** The manifest of this name, or undefined. */
  find(tag: string): string | undefined {
    return this.#manifests().find(({ annotations }) => annotations?.[tagKey] === tag)?.digest;
  }

  /** The only one that there is, whatever it is called. */
  only(): string | undefined {
    const all = this.#manifests();
    return all.length === 1 ? all[0]!.digest : undefined;
  }

  /** Holds afterwards: the manifest is the one of this name, and of no other. */
  name(tag: string, descriptor: Readonly<Record<string, unknown>>): void {
    const others = this.#manifests().filter(({ annotations }) => annotations?.[tagKey] !== tag);
    const manifests = [...others, { ...descriptor, annotations: { [tagKey]: tag } }];
    const document = { schemaVersion: 2, mediaType: indexType, manifests };
    writeFileSync(join(this.#directory, "oci-layout"), '{"imageLayoutVersion":"1.0.0"}');
    writeFileSync(join(this.#directory, "index.json"), JSON.stringify(document));
  }
}
