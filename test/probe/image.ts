/** Images made of a few lines, with the probe as their program: what `docker load` takes. */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { TarEntryType } from "../../src/format/tar/entry.ts";
import { type TarOutput, writeTar } from "../../src/format/tar/write.ts";

/** A file of an image: all but the path may be left out. */
export interface ImageFile {
  readonly path: string;
  readonly type?: TarEntryType;
  readonly mode?: number;
  readonly uid?: number;
  readonly gid?: number;
  readonly content?: string | Uint8Array;
  /** The target of a link. */
  readonly link?: string;
  readonly device?: readonly [major: number, minor: number];
  readonly xattrs?: Readonly<Record<string, Uint8Array>>;
}

export interface ImageOptions {
  readonly name?: string;
  /** The lowest first; default: one layer with the probe. */
  readonly layers?: readonly (readonly ImageFile[])[];
  /** As in the image specification: Env, Cmd, Entrypoint, User, WorkingDir, … */
  readonly config?: Readonly<Record<string, unknown>>;
}

const bytes = (content: string | Uint8Array): Uint8Array =>
  typeof content === "string" ? Buffer.from(content) : content;
const sha256 = (content: Uint8Array): string => createHash("sha256").update(content).digest("hex");

const outputOf = (file: ImageFile): TarOutput => {
  const { path, type = "file", uid = 0, gid = 0, content = "", link = "", device = [0, 0], xattrs = {} } = file;
  const data = bytes(content);
  return {
    header: {
      path: bytes(path),
      type,
      mode: file.mode ?? (type === "directory" ? 0o755 : 0o644),
      uid,
      gid,
      mtime: { seconds: 0n, nanoseconds: 0 },
      size: data.length,
      link: bytes(link),
      major: device[0],
      minor: device[1],
      xattrs: new Map(Object.entries(xattrs)),
    },
    content: data.length === 0 ? [] : [data],
  };
};

/** A tar archive of these files, in this order. */
export const tarOf = async (files: readonly ImageFile[]): Promise<Buffer> => {
  const chunks: Uint8Array[] = [];
  for await (const chunk of writeTar(files.map(outputOf))) chunks.push(chunk);
  return Buffer.concat(chunks);
};

/** The probe at /probe, and users to run it as. */
export const probeLayer = (): readonly ImageFile[] => [
  {
    path: "probe",
    mode: 0o755,
    content: readFileSync(fileURLToPath(new URL("../../build/probe", import.meta.url))),
  },
  { path: "etc", type: "directory" },
  { path: "etc/passwd", content: "root:x:0:0:root:/root:/probe\napp:x:1000:1000:app:/home/app:/probe\n" },
  { path: "etc/group", content: "root:x:0:\napp:x:1000:\naudio:x:29:app\n" },
  { path: "home", type: "directory" },
  { path: "home/app", type: "directory", uid: 1000, gid: 1000 },
  { path: "tmp", type: "directory", mode: 0o1777 },
];

/** A docker-archive with one image, by default `probe:latest`, whose entrypoint is the probe. */
export const imageOf = async (options: ImageOptions = {}): Promise<Buffer> => {
  const { name = "probe:latest", layers = [probeLayer()], config = {} } = options;
  const tars = await Promise.all(layers.map(tarOf));
  const image = Buffer.from(
    JSON.stringify({
      architecture: process.arch === "x64" ? "amd64" : process.arch,
      os: "linux",
      created: "1970-01-01T00:00:00Z",
      config: { Entrypoint: ["/probe"], Env: ["PATH=/"], ...config },
      rootfs: { type: "layers", diff_ids: tars.map((tar) => `sha256:${sha256(tar)}`) },
      history: tars.map(() => ({ created: "1970-01-01T00:00:00Z", created_by: "test" })),
    }),
  );
  const names = tars.map((tar) => `${sha256(tar)}.tar`);
  const manifest = [{ Config: `${sha256(image)}.json`, RepoTags: [name], Layers: names }];
  return tarOf([
    ...tars.map((content, index) => ({ path: names[index] ?? "", content })),
    { path: `${sha256(image)}.json`, content: image },
    { path: "manifest.json", content: JSON.stringify(manifest) },
  ]);
};
