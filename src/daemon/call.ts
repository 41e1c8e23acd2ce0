/** A request, parsed as far as every route needs it. */
import type { IncomingMessage } from "node:http";
import { matchRoute, type RouteName } from "../api/routes.ts";
import { parseVersion, unknownParameters } from "../api/versions.ts";
import { daemonError } from "./errors.ts";
import { Query } from "./query.ts";
import type { Services } from "./services.ts";
import type { Answer } from "./wire.ts";

export interface Call {
  readonly services: Services;
  readonly request: IncomingMessage;
  /** What stands in the path where the route has `{id}` and the like. */
  readonly values: Readonly<Record<string, string>>;
  readonly query: Query;
  /** The version of the API that the client speaks. */
  readonly version: string;
  /** Aborted when the client has gone. */
  readonly signal: AbortSignal;
}

export type Handler = (call: Call) => Answer | Promise<Answer>;

export interface Target {
  readonly route: RouteName;
  readonly values: Readonly<Record<string, string>>;
  readonly query: Query;
  readonly version: string;
}

/** Where a request goes; throws Docker's 400 and 404 for versions and paths that are not ours. */
export const parseTarget = (method: string, url: string): Target => {
  if (!url.startsWith("/")) throw daemonError("badTarget", {});
  const mark = url.indexOf("?");
  const rawPath = mark < 0 ? url : url.slice(0, mark);
  // Old clients write a container's name as Docker shows it, with a slash of its own.
  const { version, path } = parseVersion(decodePath(rawPath).replace(/\/{2,}/g, "/"));
  const match = matchRoute(method, path);
  if (match === undefined) throw daemonError("pageNotFound", {});
  const query = new Query(mark < 0 ? "" : url.slice(mark + 1), unknownParameters(version, match.name));
  return { route: match.name, values: match.values, version, query };
};

const decodePath = (path: string): string => {
  try {
    return decodeURIComponent(path);
  } catch (cause) {
    throw daemonError("badEscape", {}, cause);
  }
};
