/** JSON that somebody else wrote: manifests, indexes and configurations. Hostile until it has passed here. */
import { parseJson, type Shape } from "../api/shape.ts";
import { imageError } from "./errors.ts";

/** Manifests of real images have kilobytes; registries refuse them beyond 4 MiB. */
export const maxDocumentSize = 4 * 1024 * 1024;

/**
 * The document as a typed value; `name` says in messages which one is wrong.
 * Two readers of one document must not understand different things (CVE-2021-41190): text that is not UTF-8, a byte
 * order mark and a key that stands twice in one object are refused, which JSON.parse would let pass.
 */
export const parseDocument = <T>(name: string, bytes: Uint8Array, shape: Shape<T>): T => {
  const refuse = (reason: string, cause?: unknown): Error =>
    imageError("invalidDocument", { document: name, reason }, cause);
  if (bytes.length > maxDocumentSize) throw refuse(`it has more than ${maxDocumentSize} bytes`);
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (cause) {
    throw refuse("it is not UTF-8", cause);
  }
  if (text.startsWith("\ufeff")) throw refuse("it begins with a byte order mark");
  let value: T;
  try {
    value = parseJson(shape, bytes);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw refuse(reason.replace(/^invalid (request body|JSON): /, "").replace(/^the body /, "it "), cause);
  }
  const key = findTwice(text);
  if (key !== undefined) throw refuse(`the key ${JSON.stringify(key.slice(0, 100))} stands twice in one object`);
  return value;
};

/** A key that stands twice in one object of a valid JSON text, if there is one. */
const findTwice = (text: string): string | undefined => {
  const open: (Set<string> | undefined)[] = [];
  let isKeyNext = false;
  for (let at = 0; at < text.length; at++) {
    const character = text[at]!;
    if (character === "{" || character === "[") {
      isKeyNext = character === "{";
      open.push(isKeyNext ? new Set() : undefined);
    } else if (character === "}" || character === "]") open.pop();
    else if (character === ",") isKeyNext = open.at(-1) !== undefined;
    else if (character === '"') {
      const end = endOfString(text, at);
      // The same key can be spelt with and without escapes.
      const key = isKeyNext ? String(JSON.parse(text.slice(at, end))) : "";
      const keys = open.at(-1);
      if (isKeyNext && keys?.has(key)) return key;
      if (isKeyNext) keys?.add(key);
      isKeyNext = false;
      at = end - 1;
    }
  }
  return undefined;
};

/** Where the string that begins at `start` has its end, its closing quote included. */
const endOfString = (text: string, start: number): number => {
  let at = start + 1;
  while (text[at] !== '"') at += text[at] === "\\" ? 2 : 1;
  return at + 1;
};
