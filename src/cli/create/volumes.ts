/** `--volume` and `--tmpfs`. */

import { createError } from "./errors.ts";
import { fromHere } from "./mounts.ts";

/** A volume that names a source is a bind; one without belongs to the image's own configuration. */
export interface ParsedVolume {
  readonly bind?: string;
  readonly anonymous?: string;
}

const isDrive = (before: string, character: string): boolean => character === ":" && /^[a-zA-Z]$/.test(before);

/** The parts between colons; the colon after a single letter belongs to a Windows drive. */
const splitVolume = (text: string): string[] => {
  const parts: string[] = [];
  let part = "";
  for (const character of text) {
    if (character === ":" && !isDrive(part, character)) {
      parts.push(part);
      part = "";
    } else part += character;
  }
  return [...parts, part];
};

/** `/host:/inside:ro`, `name:/inside`, `/inside` */
export const parseVolume = (text: string): ParsedVolume => {
  if (text === "") throw createError("volumeEmpty", {});
  if (text.length <= 2) return { anonymous: text };
  const parts = splitVolume(text);
  if (parts.length > 3) throw createError("volumeColons", { text });
  if (parts.includes("")) throw createError("volumeSection", { text });
  if (parts.length === 1) return { anonymous: text };
  return { bind: text.startsWith(".") ? `${fromHere(parts[0]!)}${text.slice(parts[0]!.length)}` : text };
};

/** `/path:options` */
export const parseTmpfs = (text: string): readonly [path: string, options: string] => {
  const colon = text.indexOf(":");
  return colon < 0 ? [text, ""] : [text.slice(0, colon), text.slice(colon + 1)];
};
