/** Debian's registry on this machine, with images to pull: one large layer, and many layers of small files. */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { createReadStream, existsSync, mkdirSync, readFileSync, renameSync, statSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { writeTar } from "../src/format/tar/write.ts";

const program = fileURLToPath(new URL("../build/tools/registry/usr/bin/docker-registry", import.meta.url));
/** Made once: compressing takes a minute. */
const kept = fileURLToPath(new URL("../build/bench-layers", import.meta.url));

const layerType = "application/vnd.oci.image.layer.v1.tar+gzip";
const configType = "application/vnd.oci.image.config.v1+json";
const manifestType = "application/vnd.oci.image.manifest.v1+json";

/** Files of this machine, in the order of their names, until there are so many bytes of them. */
const largeTar = (path: string, bytes: number): void => {
  const found = execFileSync("find", ["/usr", "-xdev", "-type", "f", "-size", "-30M", "-printf", "%s %p\\n"], {
    encoding: "utf8",
    maxBuffer: 2 ** 28,
  });
  let sum = 0;
  const files = found
    .split("\n")
    .filter(Boolean)
    .sort((a, b) => (a.slice(a.indexOf(" ")) < b.slice(b.indexOf(" ")) ? -1 : 1));
  const chosen = files.filter((line) => {
    const size = Number(line.split(" ", 1)[0]);
    if (sum + size > bytes) return false;
    sum += size;
    return true;
  });
  const names = chosen.map((line) => line.slice(line.indexOf(" ") + 2)).join("\0");
  execFileSync("tar", ["-C", "/", "--null", "-T", "-", "-cf", path], { input: names });
};

/** Files of one to nine kilobytes, of words, in directories of a hundred. */
const smallTar = async (layer: number, count: number): Promise<Buffer> => {
  const chunks: Uint8Array[] = [];
  const entry = (path: string, content: Uint8Array, isDirectory = false) => ({
    header: {
      ...{ path: Buffer.from(path), type: isDirectory ? ("directory" as const) : ("file" as const), mode: 0o755 },
      ...{ uid: 0, gid: 0, size: content.length, link: new Uint8Array(), major: 0, minor: 0, xattrs: new Map() },
      mtime: { seconds: 1_700_000_000n, nanoseconds: 0 },
    },
    content: content.length === 0 ? [] : [content],
  });
  const outputs = Array.from({ length: count }, (_, number) => {
    const seed = createHash("sha256").update(`${layer} ${number}`).digest("hex");
    const text = Buffer.from(`${seed} `.repeat(16 + (number % 128)));
    const place = `layer${layer}/${Math.floor(number / 100)}`;
    return [
      ...(number % 100 === 0 ? [entry(`${place}/`, new Uint8Array(), true)] : []),
      entry(`${place}/${number}`, text),
    ];
  });
  for await (const chunk of writeTar(outputs.flat())) chunks.push(chunk);
  return Buffer.concat(chunks);
};

const digestOf = (bytes: Uint8Array): string => `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
const digestOfFile = (path: string): string =>
  `sha256:${execFileSync("sha256sum", [path]).toString().split(" ", 1)[0]}`;

interface Layer {
  readonly digest: string;
  readonly diffId: string;
  readonly size: number;
  readonly open: () => NodeJS.ReadableStream | Uint8Array;
}

const send = (
  method: string,
  url: string,
  body: NodeJS.ReadableStream | Uint8Array = new Uint8Array(),
  headers: Record<string, string | number> = {},
): Promise<{ readonly status: number; readonly location: string }> =>
  new Promise((resolve, reject) => {
    const sent = request(url, { method, headers }, (answer) => {
      answer.resume();
      answer.once("end", () => resolve({ status: answer.statusCode ?? 0, location: answer.headers.location ?? "" }));
    });
    sent.once("error", reject);
    if (body instanceof Uint8Array) sent.end(body);
    else body.pipe(sent);
  });

export class BenchRegistry {
  readonly host: string;
  readonly #child: ChildProcess;

  private constructor(host: string, child: ChildProcess) {
    this.host = host;
    this.#child = child;
  }

  /** One that answers on this port of the bench's own loopback, with its data in the directory. */
  static async start(directory: string, port: number): Promise<BenchRegistry> {
    const host = `127.0.0.1:${port}`;
    mkdirSync(join(directory, "store"), { recursive: true });
    const config = join(directory, "config.yml");
    writeFileSync(
      config,
      [
        "version: 0.1",
        "log: {level: error}",
        `storage: {filesystem: {rootdirectory: ${directory}/store}, delete: {enabled: true}}`,
        `http: {addr: "${host}"}\n`,
      ].join("\n"),
    );
    const child = spawn(program, ["serve", config], { stdio: "ignore" });
    const registry = new BenchRegistry(host, child);
    while (
      await send("GET", `http://${host}/v2/`).then(
        ({ status }) => status !== 200,
        () => true,
      )
    )
      await setTimeout(20);
    return registry;
  }

  stop(): void {
    this.#child.kill("SIGKILL");
  }

  /** An image of one layer of so many megabytes, unpacked. Answers its name, and the compressed layer's file. */
  async putLarge(megabytes: number): Promise<{ readonly name: string; readonly file: string }> {
    const file = join(kept, `large-${megabytes}.tar.gz`);
    const told = `${file}.diff-id`;
    mkdirSync(kept, { recursive: true });
    if (!existsSync(told)) {
      const tar = join(kept, "tar");
      largeTar(tar, megabytes * 1e6);
      const diffId = digestOfFile(tar);
      execFileSync("gzip", ["--force", tar]);
      renameSync(`${tar}.gz`, file);
      writeFileSync(told, diffId);
    }
    const diffId = readFileSync(told, "utf8");
    const layer = { digest: digestOfFile(file), diffId, size: statSync(file).size, open: () => createReadStream(file) };
    return { name: await this.#put("large", [layer]), file };
  }

  /** An image of twelve layers with so many files together. */
  async putSmall(files: number): Promise<string> {
    const layers: Layer[] = [];
    for (let number = 0; number < 12; number++) {
      const tar = await smallTar(number, Math.ceil(files / 12));
      const packed = gzipSync(tar);
      layers.push({ digest: digestOf(packed), diffId: digestOf(tar), size: packed.length, open: () => packed });
    }
    return await this.#put("small", layers);
  }

  async #put(repository: string, layers: readonly Layer[]): Promise<string> {
    const config = Buffer.from(
      JSON.stringify({
        ...{ architecture: process.arch === "arm64" ? "arm64" : "amd64", os: "linux", config: {} },
        rootfs: { type: "layers", diff_ids: layers.map(({ diffId }) => diffId) },
      }),
    );
    const described = { digest: digestOf(config), size: config.length };
    for (const { digest, size, open } of [...layers, { ...described, open: () => config }]) {
      const begun = await send("POST", `http://${this.host}/v2/${repository}/blobs/uploads/`);
      const url = new URL(begun.location, `http://${this.host}`);
      url.searchParams.set("digest", digest);
      const headers = { "Content-Type": "application/octet-stream", "Content-Length": size };
      const { status } = await send("PUT", url.href, open(), headers);
      if (status !== 201) throw new Error(`the registry answered ${status} to a layer`);
    }
    const manifest = {
      ...{ schemaVersion: 2, mediaType: manifestType, config: { mediaType: configType, ...described } },
      layers: layers.map(({ digest, size }) => ({ mediaType: layerType, digest, size })),
    };
    const bytes = Buffer.from(JSON.stringify(manifest));
    const headers = { "Content-Type": manifestType, "Content-Length": bytes.length };
    const { status } = await send("PUT", `http://${this.host}/v2/${repository}/manifests/1`, bytes, headers);
    if (status !== 201) throw new Error(`the registry answered ${status} to a manifest`);
    return `${this.host}/${repository}:1`;
  }
}
