/** Platforms as `--platform` takes them. */
import { type Platform, parsePlatform as parse } from "../../api/platforms.ts";
import { cliError } from "../errors.ts";

export { formatPlatform } from "../../api/platforms.ts";

/** Throws containerd's words for what names no platform. */
export const parsePlatform = (text: string, what = "error parsing specified platform: "): Platform =>
  parse(text, (reason) => cliError("platformInvalid", { what, reason }));

/** As the API takes one of several platforms that an image has: in JSON; undefined where none is asked for. */
export const encodePlatform = (text: string, what = "invalid platform: "): string | undefined =>
  text === "" ? undefined : JSON.stringify(parsePlatform(text, what));
