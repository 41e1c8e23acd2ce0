/** Whether this host can mount layers as they are kept: found by mounting one of 4 KiB, never by a version. */
import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type DiffId, digestFromHex } from "../base/ids.ts";
import { IndexBuilder } from "../format/erofs/builder.ts";
import { runErrand } from "../kernel/errand.ts";
import type { Holder } from "../kernel/holder.ts";
import { StepFailure } from "../kernel/keeper.ts";
import { errnoMessage } from "../kernel/numbers/errno.ts";
import { mountFlags, unmountFlags } from "../kernel/numbers/mount.ts";
import { namespaces } from "../kernel/numbers/namespaces.ts";
import type { Step } from "../kernel/steps.ts";
import { containerError } from "./errors.ts";

const tarSize = 1024;
const diffId = digestFromHex("0".repeat(64)) as DiffId;

/** The steps that mount a layer's two files as a read-only file system. */
export const mountLayer = (layer: { readonly index: string; readonly tar: string }, target: string): Step => ({
  step: "mount",
  at: "/",
  source: layer.index,
  target,
  type: "erofs",
  flags: mountFlags.MS_RDONLY | mountFlags.MS_NOSUID | mountFlags.MS_NODEV | mountFlags.MS_NOEXEC,
  data: `device=${layer.tar}`,
});

/**
 * Returns when a layer was mounted and unmounted again; throws what the kernel said when it will not. Tried where the
 * layers are: `<run>` is often in memory, and the kernel mounts no file of a tmpfs.
 */
export const probeLayers = async (root: string, run: string, holder: Holder): Promise<void> => {
  const directory = join(root, "probe");
  const [index, tar, target] = ["index", "tar", "mounted"].map((name) => join(directory, name)) as [
    string,
    string,
    string,
  ];
  await mkdir(target, { recursive: true, mode: 0o700 });
  try {
    await writeFile(tar, new Uint8Array(tarSize));
    await writeFile(index, new IndexBuilder().finish({ diffId, tarSize }));
    await runErrand(holder, run, {
      outside: [
        { step: "joinNamespace", path: holder.namespace, kind: namespaces.mount.flag },
        mountLayer({ index, tar }, target),
        { step: "unmount", path: target, flags: unmountFlags.UMOUNT_NOFOLLOW | unmountFlags.MNT_DETACH },
      ],
      inside: [],
      after: [],
    });
  } catch (error) {
    if (!(error instanceof StepFailure)) throw error;
    throw containerError("layersUnmountable", { reason: errnoMessage(error.errno) }, error);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
};
