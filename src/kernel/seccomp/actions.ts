/** What a filter can answer (linux/seccomp.h), under libseccomp's names. */
import { errno } from "../numbers/errno.ts";

/** A value that a filter returns: what to do in its upper half, a number for it in its lower. */
export type Action = number;

export const killProcess: Action = 0x8000_0000;
export const allow: Action = 0x7fff_0000;
export const failWith = (number: number): Action => 0x0005_0000 | (number & 0xffff);

/** The system call exists, but may not be used. */
export const notPermitted = failWith(errno("EPERM"));
/** As if the system call did not exist: programs then try an older one. */
export const notImplemented = failWith(errno("ENOSYS"));

const log: Action = 0x7ffc_0000;
const traceWith = (number: number): Action => 0x7ff0_0000 | (number & 0xffff);
const trap: Action = 0x0003_0000;
const killThread: Action = 0;

const actions: Readonly<Record<string, (number: number) => Action>> = {
  SCMP_ACT_KILL: () => killThread,
  SCMP_ACT_KILL_THREAD: () => killThread,
  SCMP_ACT_KILL_PROCESS: () => killProcess,
  SCMP_ACT_TRAP: () => trap,
  SCMP_ACT_ERRNO: failWith,
  SCMP_ACT_TRACE: traceWith,
  SCMP_ACT_LOG: () => log,
  SCMP_ACT_ALLOW: () => allow,
};

/** The action of a name, with the error number that it answers with; undefined for a name that is none of ours. */
export const findAction = (name: string, number: number): Action | undefined =>
  Object.hasOwn(actions, name) ? actions[name]!(number) : undefined;

/** The name of an action, and the number that it answers with where it has one. */
export const actionName = (action: Action): { readonly name: string; readonly number?: number } => {
  const kind = (action & 0xffff_0000) >>> 0;
  const number = action & 0xffff;
  const found = Object.entries(actions).find(([, make]) => make(0) === kind);
  const name = found?.[0] ?? "SCMP_ACT_KILL";
  return name === "SCMP_ACT_ERRNO" || name === "SCMP_ACT_TRACE" ? { name, number } : { name };
};

/** Calls run, perhaps watched: an unknown one needs no ENOSYS, the kernel answers that itself. */
export const letsThrough = (action: Action): boolean => (action & 0xffff_0000) >>> 0 >= traceWith(0);
