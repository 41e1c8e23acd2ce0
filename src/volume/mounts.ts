/** Volumes whose options name a file system: mounted once for all containers, in the store's namespace, while one uses it. */
import { readFile } from "node:fs/promises";
import { runErrand } from "../kernel/errand.ts";
import type { Holder } from "../kernel/holder.ts";
import { StepFailure } from "../kernel/keeper.ts";
import { errnoMessage, errnos } from "../kernel/numbers/errno.ts";
import { unmountFlags } from "../kernel/numbers/mount.ts";
import { namespaces } from "../kernel/numbers/namespaces.ts";
import type { Plan, Step } from "../kernel/steps.ts";
import { volumeError } from "./errors.ts";
import type { VolumeSource } from "./options.ts";

const inStore = (holder: Holder, steps: readonly Step[]): Plan => ({
  outside: [{ step: "joinNamespace", path: holder.namespace, kind: namespaces.mount.flag }, ...steps],
  inside: [],
  after: [],
});

export type FileSystemSource = Extract<VolumeSource, { readonly kind: "mount" }>;

/** Whether something is mounted at the path; the namespace's own table says it, whoever mounted it. */
const isMounted = async (holder: Holder, path: string): Promise<boolean> => {
  const table = await readFile(`/proc/${holder.pid}/mountinfo`, "utf8");
  return table.split("\n").some((line) => line.split(" ")[4] === path);
};

/** Holds afterwards: the file system is mounted at the path, for whoever looks from the store's namespace. */
export const mountVolume = async (
  holder: Holder,
  run: string,
  name: string,
  path: string,
  { type, device, flags, data }: FileSystemSource,
): Promise<void> => {
  if (await isMounted(holder, path)) return;
  const mount: Step = { step: "mount", at: "", source: device, target: path, type, flags, data };
  try {
    await runErrand(holder, run, inStore(holder, [mount]));
  } catch (error) {
    if (!(error instanceof StepFailure)) throw error;
    throw volumeError("volumeNotMounted", { name, device, reason: errnoMessage(error.errno) }, error);
  }
};

/** Holds afterwards: nothing is mounted at the path any more; who else has it, keeps it. */
export const unmountVolume = async (holder: Holder, run: string, path: string): Promise<void> => {
  if (!(await isMounted(holder, path))) return;
  const step: Step = {
    step: "unmount",
    path,
    flags: unmountFlags.UMOUNT_NOFOLLOW | unmountFlags.MNT_DETACH,
    tolerate: [errnos.EINVAL.number, errnos.ENOENT.number],
  };
  await runErrand(holder, run, inStore(holder, [step]));
};

/** The path of a mount in the store's namespace, as a process outside of it can name it. */
export const throughHolder = (holder: Holder, path: string): string => `/proc/${holder.pid}/root${path}`;
