/** Go's os.FileMode, as which fsutil tells what a file is and who may use it. */
import type { TarEntryType } from "../tar/entry.ts";

export const goModes = {
  directory: 2 ** 31,
  symlink: 2 ** 27,
  device: 2 ** 26,
  fifo: 2 ** 25,
  socket: 2 ** 24,
  setuid: 2 ** 23,
  setgid: 2 ** 22,
  character: 2 ** 21,
  sticky: 2 ** 20,
};

const kindBits: Readonly<Record<TarEntryType | "socket" | "whiteout", number>> = {
  ...{ file: 0, hardlink: 0, whiteout: 0 },
  ...{ directory: goModes.directory, symlink: goModes.symlink, fifo: goModes.fifo, socket: goModes.socket },
  ...{ block: goModes.device, character: goModes.device + goModes.character },
};

/** The bits of a kind of file and of its mode as Unix has it. */
export const encodeMode = (kind: keyof typeof kindBits, mode: number): number => {
  const special =
    ((mode & 0o4000) === 0 ? 0 : goModes.setuid) +
    ((mode & 0o2000) === 0 ? 0 : goModes.setgid) +
    ((mode & 0o1000) === 0 ? 0 : goModes.sticky);
  return (mode & 0o777) + special + kindBits[kind];
};
