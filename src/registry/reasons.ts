/** Why a registry refused, in its own words. */
import { list, nullable, object, parseJson, string } from "../api/shape.ts";

const shape = object({
  errors: nullable(list(object({ code: string, message: string }))),
  message: string,
  details: string,
  error: string,
});
const longest = 500;

/** The first error of the body in the form of the distribution specification, or the body's beginning. */
export const reasonOf = (body: Uint8Array): string => {
  try {
    const { errors, message, details, error } = parseJson(shape, body);
    const [first] = errors ?? [];
    if (first !== undefined) {
      const code = first.code.toLowerCase().replaceAll("_", " ");
      return clean(first.message === "" || first.message.toLowerCase() === code ? code : `${code}: ${first.message}`);
    }
    return clean(message || details || error || "no reason is given");
  } catch {
    return clean(Buffer.from(body).toString("utf8")) || "no reason is given";
  }
};

/** One line that steers no terminal. */
const clean = (text: string): string =>
  text
    .replace(/[\x00-\x1f\x7f-\x9f\s]+/g, " ")
    .trim()
    .slice(0, longest);
