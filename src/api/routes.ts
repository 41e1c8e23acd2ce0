/**
 * The one table of routes: the server routes by it, the client builds its paths from it. `{id}` stands for one segment
 * of the path, `{name+}` for several (image names have slashes). A route with `later` is known, and answers 501 with
 * that sentence; one with `hijack` turns the connection into a raw stream.
 */

import { swarmRoutes } from "./swarm-routes.ts";

export interface Route {
  readonly method: "GET" | "HEAD" | "POST" | "PUT" | "DELETE";
  readonly path: string;
  readonly hijack?: true;
  readonly later?: string;
}

export const routes = {
  ping: { method: "GET", path: "/_ping" },
  pingHead: { method: "HEAD", path: "/_ping" },
  version: { method: "GET", path: "/version" },
  info: { method: "GET", path: "/info" },
  events: { method: "GET", path: "/events" },
  imageFiles: { method: "GET", path: "/pier/images/{name+}/files" },
  imageLayers: { method: "GET", path: "/pier/images/{name+}/layers" },
  imageDiff: { method: "GET", path: "/pier/image-diff" },
  storeCheck: { method: "POST", path: "/pier/check" },
  why: { method: "GET", path: "/pier/why/{id}" },
  buildExplain: { method: "GET", path: "/pier/build/explain" },
  explain: { method: "POST", path: "/pier/explain" },
  disk: { method: "GET", path: "/pier/disk" },
  systemDf: { method: "GET", path: "/system/df" },

  containerList: { method: "GET", path: "/containers/json" },
  containerCreate: { method: "POST", path: "/containers/create" },
  containerPrune: { method: "POST", path: "/containers/prune" },
  containerInspect: { method: "GET", path: "/containers/{id}/json" },
  containerTop: { method: "GET", path: "/containers/{id}/top" },
  containerLogs: { method: "GET", path: "/containers/{id}/logs" },
  containerStart: { method: "POST", path: "/containers/{id}/start" },
  containerStop: { method: "POST", path: "/containers/{id}/stop" },
  containerRestart: { method: "POST", path: "/containers/{id}/restart" },
  containerKill: { method: "POST", path: "/containers/{id}/kill" },
  containerWait: { method: "POST", path: "/containers/{id}/wait" },
  containerRename: { method: "POST", path: "/containers/{id}/rename" },
  containerAttach: { method: "POST", path: "/containers/{id}/attach", hijack: true },
  containerResize: { method: "POST", path: "/containers/{id}/resize" },
  containerDelete: { method: "DELETE", path: "/containers/{id+}" },
  containerAttachWebSocket: { method: "GET", path: "/containers/{id}/attach/ws", hijack: true },
  containerChanges: { method: "GET", path: "/containers/{id}/changes" },
  containerExport: { method: "GET", path: "/containers/{id}/export" },
  containerStats: { method: "GET", path: "/containers/{id}/stats" },
  containerUpdate: { method: "POST", path: "/containers/{id}/update" },
  containerPause: { method: "POST", path: "/containers/{id}/pause" },
  containerUnpause: { method: "POST", path: "/containers/{id}/unpause" },
  archiveGet: { method: "GET", path: "/containers/{id}/archive" },
  archiveHead: { method: "HEAD", path: "/containers/{id}/archive" },
  archivePut: { method: "PUT", path: "/containers/{id}/archive" },
  execCreate: { method: "POST", path: "/containers/{id}/exec" },
  execStart: { method: "POST", path: "/exec/{id}/start", hijack: true },
  execResize: { method: "POST", path: "/exec/{id}/resize" },
  execInspect: { method: "GET", path: "/exec/{id}/json" },

  auth: { method: "POST", path: "/auth" },

  imageList: { method: "GET", path: "/images/json" },
  imageCreate: { method: "POST", path: "/images/create" },
  imageLoad: { method: "POST", path: "/images/load" },
  imageInspect: { method: "GET", path: "/images/{name+}/json" },
  imageHistory: { method: "GET", path: "/images/{name+}/history" },
  imageTag: { method: "POST", path: "/images/{name+}/tag" },
  imageDelete: { method: "DELETE", path: "/images/{name+}" },
  imagePush: { method: "POST", path: "/images/{name+}/push" },
  imageSearch: { method: "GET", path: "/images/search" },
  imagePrune: { method: "POST", path: "/images/prune" },
  imageSave: { method: "GET", path: "/images/{name+}/get" },
  imageSaveAll: { method: "GET", path: "/images/get" },
  commit: { method: "POST", path: "/commit" },
  build: { method: "POST", path: "/build" },
  buildPrune: { method: "POST", path: "/build/prune" },
  session: { method: "POST", path: "/session", hijack: true },
  grpc: { method: "POST", path: "/grpc", hijack: true },
  distributionInspect: { method: "GET", path: "/distribution/{name+}/json" },
  manifestInspect: { method: "GET", path: "/pier/manifests/{name+}" },

  networkList: { method: "GET", path: "/networks" },
  networkInspect: { method: "GET", path: "/networks/{id}" },
  networkCreate: { method: "POST", path: "/networks/create" },
  networkPrune: { method: "POST", path: "/networks/prune" },
  networkDelete: { method: "DELETE", path: "/networks/{id}" },
  networkConnect: { method: "POST", path: "/networks/{id}/connect" },
  networkDisconnect: { method: "POST", path: "/networks/{id}/disconnect" },
  volumeList: { method: "GET", path: "/volumes" },
  volumeCreate: { method: "POST", path: "/volumes/create" },
  volumePrune: { method: "POST", path: "/volumes/prune" },
  volumeInspect: { method: "GET", path: "/volumes/{id}" },
  volumeDelete: { method: "DELETE", path: "/volumes/{id}" },
  ...swarmRoutes,
} as const satisfies Record<string, Route>;

/** pier's own: the secrets of a build, base64 of a JSON object of base64 texts. In a header, so that no log of paths has them. */
export const buildSecretsHeader = "X-Pier-Build-Secrets";

export type RouteName = keyof typeof routes;

type Placeholder<P extends string> = P extends `${string}{${infer Name}}${infer Rest}`
  ? (Name extends `${infer N}+` ? N : Name) | Placeholder<Rest>
  : never;
/** The values that a route's path needs: `{ id }`. */
export type PathValues<R extends RouteName> = Readonly<Record<Placeholder<(typeof routes)[R]["path"]>, string>>;

/** The path of a request, without version and query: `pathOf("containerStart", { id: "web" })`. */
export const pathOf = <R extends RouteName>(name: R, values: PathValues<R>): string =>
  routes[name].path.replace(/\{(\w+)(\+?)\}/g, (_, key: keyof PathValues<R>, several: string) => {
    const value: string = values[key];
    return several === "+" ? value.split("/").map(encodeURIComponent).join("/") : encodeURIComponent(value);
  });

const patternOf = (path: string): RegExp =>
  new RegExp(
    `^${path.replace(/\{(\w+)(\+?)\}/g, (_, key: string, several: string) => `(?<${key}>${several ? ".+" : "[^/]+"})`)}$`,
  );

const compilePatterns = () =>
  (Object.entries(routes) as [RouteName, Route][]).map(
    ([name, route]) => ({ name, method: route.method, pattern: patternOf(route.path) }) as const,
  );
/** Made when the first request comes: a client needs none of them, and they would cost it half a millisecond. */
let patterns: ReturnType<typeof compilePatterns> | undefined;

export interface RouteMatch {
  readonly name: RouteName;
  readonly values: Readonly<Record<string, string>>;
}

/** The route of a request whose path is decoded and has no version, or undefined. */
export const matchRoute = (method: string, path: string): RouteMatch | undefined => {
  patterns ??= compilePatterns();
  for (const { name, method: wanted, pattern } of patterns) {
    if (wanted !== method) continue;
    const match = pattern.exec(path);
    if (match !== null) return { name, values: { ...match.groups } };
  }
  return undefined;
};
