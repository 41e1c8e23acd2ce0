/** Where a volume lies. Names are checked before they come here. */
import { join } from "node:path";

export interface VolumePaths {
  readonly directory: string;
  /** What containers see; its own owner and mode may be theirs. */
  readonly data: string;
  /** What shall be in it at first, complete and on its way there. */
  readonly filling: string;
}

export const volumesDirectory = (root: string): string => join(root, "volumes");

export const volumePaths = (root: string, name: string): VolumePaths => {
  const directory = join(volumesDirectory(root), name);
  return { directory, data: join(directory, "data"), filling: join(directory, "filling") };
};
