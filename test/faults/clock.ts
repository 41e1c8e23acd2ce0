/** Loaded before a daemon: its clock is as many milliseconds ahead or behind as the file PIER_CLOCK says. */
import { readFileSync } from "node:fs";

const file = process.env.PIER_CLOCK ?? "";
const now = Date.now.bind(Date);

const shift = (): number => {
  try {
    return Number(readFileSync(file, "utf8"));
  } catch {
    return 0;
  }
};

Date.now = () => now() + shift();
