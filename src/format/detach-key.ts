const control = /^ctrl-([a-z@[\\\]^_])$/;

/** The byte that a terminal sends for a key as `--detach-keys` has it: `a`, `ctrl-x`, `DEL`; undefined for what is no key. */
export const detachKey = (key: string): number | undefined => {
  const letter = control.exec(key)?.[1];
  if (letter !== undefined) return letter.toUpperCase().charCodeAt(0) & 0x1f;
  if (key === "DEL") return 0x7f;
  return key.length === 1 && key.charCodeAt(0) < 256 ? key.charCodeAt(0) : undefined;
};
