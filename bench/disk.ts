/** Fresh ext4 file systems in files, mounted: so that what is measured is the engine, not the machine's root. */
import { execFileSync } from "node:child_process";
import { mkdirSync, rmSync } from "node:fs";

export interface Disk {
  readonly path: string;
  remove(): void;
}

/** An empty file system of this size is mounted at the path; the image beside it is sparse. */
export const createDisk = (path: string, size: string): Disk => {
  const image = `${path}.img`;
  mkdirSync(path, { recursive: true });
  execFileSync("truncate", ["--size", size, image]);
  // Nothing is left for the kernel to do lazily in the midst of a measurement.
  execFileSync("mkfs.ext4", ["-q", "-F", "-E", "lazy_itable_init=0,lazy_journal_init=0", image]);
  // Past the cache of the file system that the image lies in: disks have no second one.
  const device = execFileSync("losetup", ["--direct-io=on", "--find", "--show", image], { encoding: "utf8" }).trim();
  execFileSync("mount", [device, path]);
  // It is let go of when it is not mounted any more.
  execFileSync("losetup", ["--detach", device]);
  return {
    path,
    remove() {
      execFileSync("umount", ["--lazy", path]);
      rmSync(image);
    },
  };
};
