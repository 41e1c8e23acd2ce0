/** Platforms in queries: as text, or in JSON where an image may have several. */
import { type Platform, parsePlatform } from "../api/platforms.ts";
import { object, type Shape, string } from "../api/shape.ts";
import { daemonError } from "./errors.ts";
import type { Query } from "./query.ts";

const invalid = (reason: string): Error => daemonError("invalidPlatform", { reason });

/** `linux/arm64`; undefined where none is asked for. */
export const platformText = (query: Query): Platform | undefined => {
  const text = query.text("platform");
  return text === "" ? undefined : parsePlatform(text, invalid);
};

/** `linux/amd64,linux/arm64`; none where none is asked for. */
export const platformTexts = (query: Query): readonly Platform[] =>
  query
    .text("platform")
    .split(",")
    .filter((text) => text !== "")
    .map((text) => parsePlatform(text.trim(), invalid));

const shape: Shape<{ readonly os: string; readonly architecture: string; readonly variant: string }> = object({
  os: string,
  architecture: string,
  variant: string,
});

/** `{"os":"linux","architecture":"arm64"}`; undefined where none is asked for. */
export const platformJson = (query: Query): Platform | undefined => {
  const [asked, second] = platformsJson(query, "platform");
  if (second !== undefined) throw invalid("multiple platforms are not supported");
  return asked;
};

/** The same, any number of them. */
export const platformsJson = (query: Query, name: string): readonly Platform[] =>
  query
    .list(name)
    .filter((text) => text !== "")
    .map((text) => {
      const { os, architecture, variant } = shape(decode(text), name);
      return variant === "" ? { os, architecture } : { os, architecture, variant };
    });

const decode = (text: string): unknown => {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw invalid(cause instanceof Error ? cause.message : String(cause));
  }
};
