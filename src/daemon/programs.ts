/** Where our other programs are. */
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** The keeper and hello lie beside the executable; a daemon that runs from its sources has them in their build directory. */
export const findPrograms = (): string => {
  const beside = dirname(process.execPath);
  return existsSync(join(beside, "keeper")) ? beside : fileURLToPath(new URL("../../build", import.meta.url));
};
