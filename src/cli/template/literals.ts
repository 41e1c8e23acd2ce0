/** Numbers and quoted text as templates write them, by Go's rules. */

/** With a point or an exponent it is a floating-point number; undefined for one that is none, or too large. */
export const parseNumber = (text: string): bigint | number | undefined => {
  const plain = text.replaceAll("_", "");
  if (/[.eEpP]/.test(plain) && !/^[+-]?0[xX]/.test(plain)) return finite(Number(plain));
  const [, sign, digits = ""] = /^([+-]?)(.*)$/.exec(plain)!;
  if (!/^(0[xXbBoO])?[\da-fA-F]+$/.test(digits)) return undefined;
  const value = BigInt(/^0[0-7]+$/.test(digits) ? `0o${digits}` : digits);
  return sign === "-" ? -value : value;
};

const finite = (value: number): number | undefined => (Number.isFinite(value) ? value : undefined);

const simple: ReadonlyMap<string, string> = new Map(
  Object.entries({ a: "\x07", b: "\b", f: "\f", n: "\n", r: "\r", t: "\t", v: "\v", "\\": "\\", "'": "'", '"': '"' }),
);

/** The text between the quotes; undefined when an escape in it is none. */
export const unquote = (quoted: string): string | undefined => {
  const inner = quoted.slice(1, -1);
  if (quoted.startsWith("`")) return inner.replaceAll("\r", "");
  let valid = true;
  const text = inner.replace(
    /\\(?:x([\da-fA-F]{2})|u([\da-fA-F]{4})|U([\da-fA-F]{8})|([0-7]{3})|(.))/gs,
    (_, byte?: string, short?: string, long?: string, octal?: string, letter?: string) => {
      const hexadecimal = byte ?? short ?? long;
      if (hexadecimal !== undefined || octal !== undefined) {
        const code = hexadecimal === undefined ? Number.parseInt(octal!, 8) : Number.parseInt(hexadecimal, 16);
        if (code <= 0x10ffff) return String.fromCodePoint(code);
      }
      const plain = simple.get(letter ?? "");
      valid &&= plain !== undefined;
      return plain ?? "";
    },
  );
  const isCharacter = !quoted.startsWith("'") || [...text].length === 1;
  return valid && isCharacter ? text : undefined;
};
