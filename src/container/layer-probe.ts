/** How this host can mount layers: found by mounting one of 4 KiB and reading it, never by a version. */
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { errnoOf } from "../base/errors.ts";
import { type DiffId, digestFromHex } from "../base/ids.ts";
import { IndexBuilder } from "../format/erofs/builder.ts";
import { TarParser } from "../format/tar/parser.ts";
import { writeTar } from "../format/tar/write.ts";
import { runErrand } from "../kernel/errand.ts";
import type { LayerFormat } from "../kernel/facts.ts";
import type { Holder } from "../kernel/holder.ts";
import { StepFailure } from "../kernel/keeper.ts";
import { errnoMessage, errnos } from "../kernel/numbers/errno.ts";
import { unmountFlags } from "../kernel/numbers/mount.ts";
import { namespaces } from "../kernel/numbers/namespaces.ts";
import type { Plan } from "../kernel/steps.ts";
import { containerError } from "./errors.ts";
import { extractedFiles, prepareExtraction } from "./layer-extraction.ts";
import { type LayerFiles, type LayerSource, layerFormats, planLayer } from "./layer-format.ts";

export interface ProbePlace {
  readonly root: string;
  readonly run: string;
  readonly holder: Holder;
}

const diffId = digestFromHex("0".repeat(64)) as DiffId;
const name = "probe";
const content = "pier reads what is in a layer\n";

/** A file with contents, and both of overlayfs' marks: not every file system has them. */
const testTar = async (): Promise<Uint8Array> => {
  const item = (path: string, text: string) => ({
    header: {
      path: new TextEncoder().encode(path),
      type: "file" as const,
      ...{ mode: 0o644, uid: 0, gid: 0, major: 0, minor: 0 },
      mtime: { seconds: 0n, nanoseconds: 0 },
      size: text.length,
      link: new Uint8Array(),
      xattrs: new Map<string, Uint8Array>(),
    },
    content: [new TextEncoder().encode(text)],
  });
  const items = [item(name, content), item(".wh.gone", ""), item("opaque/.wh..wh..opq", "")];
  return Buffer.concat(await Array.fromAsync(writeTar(items)));
};

/** The file's bytes, or nothing where there is none. */
const readIfThere = (path: string): Promise<Buffer> => readFile(path).catch(() => Buffer.alloc(0));

/** Holds afterwards: a small layer is in the directory. It stays there, so that on a full disk it need not be written. */
const writeTestLayer = async (directory: string): Promise<LayerFiles> => {
  const files = { index: join(directory, "index"), tar: join(directory, "tar") };
  const tar = await testTar();
  const index = new IndexBuilder();
  const parser = new TarParser({ entry: (entry) => index.add(entry) });
  parser.push(tar);
  parser.end();
  for (const [path, bytes] of [
    [files.tar, tar],
    [files.index, Buffer.concat([...index.finish({ diffId, tarSize: tar.length })])],
  ] as const)
    if (!(await readIfThere(path)).equals(bytes)) {
      // Of another pier, or half written.
      await rm(path, { force: true });
      await writeFile(path, bytes);
    }
  return files;
};

const planProbe = (holder: Holder, source: LayerSource, target: string): Plan => ({
  outside: [
    { step: "joinNamespace", path: holder.namespace, kind: namespaces.mount.flag },
    ...planLayer(source, target),
    { step: "reportFile", path: join(target, name) },
  ],
  inside: [],
  after: [{ step: "unmount", path: target, flags: unmountFlags.UMOUNT_NOFOLLOW | unmountFlags.MNT_DETACH }],
});

/** What the kernel said of it, and of which step. */
const reasonOf = ({ lane, index, errno }: StepFailure, plan: Plan): string => {
  const step = plan[lane][index]?.step;
  if (step === "openLoopDevice" && errno === errnos.ENOENT.number) return "there is no /dev/loop-control";
  return `${step ?? "the plan"}: ${errnoMessage(errno)}`;
};

/** What the plan reported, or why it failed. */
const runProbe = async ({ holder, run }: ProbePlace, plan: Plan): Promise<{ report: string } | { reason: string }> => {
  try {
    return { report: (await (await runErrand(holder, run, plan)).exited).report };
  } catch (error) {
    if (!(error instanceof StepFailure)) throw error;
    return { reason: reasonOf(error, plan) };
  }
};

/** What is to be mounted, or why there is no such thing. */
const testSource = async (
  format: LayerFormat,
  place: ProbePlace,
  directory: string,
): Promise<LayerSource | { reason: string }> => {
  const files = await writeTestLayer(directory);
  if (format !== "directory") return { format, ...files };
  const extracted = join(directory, "extracted");
  await rm(extracted, { recursive: true, force: true });
  await mkdir(extracted, { mode: 0o700 });
  const ran = await runProbe(place, await prepareExtraction(files, extracted));
  return "reason" in ran ? ran : { format, files: extractedFiles(extracted) };
};

/**
 * Why layers cannot be mounted in this way, or undefined when one was. Tried where the layers are: `<run>` is often in
 * memory, and the kernel mounts no file of a tmpfs.
 */
export const tryLayerFormat = async (format: LayerFormat, place: ProbePlace): Promise<string | undefined> => {
  const directory = join(place.root, "probe");
  const target = join(directory, "mounted");
  try {
    await mkdir(target, { recursive: true, mode: 0o700 });
    const source = await testSource(format, place, directory);
    if ("reason" in source) return source.reason;
    const ran = await runProbe(place, planProbe(place.holder, source, target));
    if ("reason" in ran) return ran.reason;
    return ran.report === content ? undefined : "what is read is not what is there";
  } catch (error) {
    if (!isFull(error)) throw error;
    // The last way is the one that works everywhere, as soon as there is room.
    return format === "directory" ? undefined : errnoMessage(errnos.ENOSPC.number);
  } finally {
    await rm(join(directory, "extracted"), { recursive: true, force: true });
  }
};

const isFull = (error: unknown): boolean => errnoOf(error) === "ENOSPC" || errnoOf(error) === "EDQUOT";

/** The way in which this host mounts layers: the one asked for, or the first that works. Throws what is wrong with each. */
export const findLayerFormat = async (place: ProbePlace, asked?: LayerFormat): Promise<LayerFormat> => {
  const reasons: string[] = [];
  for (const format of asked === undefined ? layerFormats : [asked]) {
    const reason = await tryLayerFormat(format, place);
    if (reason === undefined) return format;
    reasons.push(`${format}: ${reason}`);
  }
  throw containerError("layersUnmountable", { reason: reasons.join("; ") });
};
