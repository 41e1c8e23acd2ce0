/**
 * A registry of the tests': the distribution specification in memory, as long as nobody asks for a fault; and every
 * fault that a registry, or what lies between, was ever seen to have.
 */
import { createHash, randomBytes } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo } from "node:net";

export const digestOf = (bytes: string | Uint8Array): string =>
  `sha256:${createHash("sha256").update(bytes).digest("hex")}`;

export interface Asked {
  readonly method: string;
  readonly path: string;
  readonly range: string | undefined;
  readonly authorization: string | undefined;
  readonly contentRange: string | undefined;
}

export interface Context {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly path: string;
  /** How often this method and path were asked for before. */
  readonly before: number;
  /** What would be sent. */
  readonly bytes: Uint8Array;
  /** Answers as if nothing had happened. */
  readonly serve: () => void;
}

/** Answers true when it has taken the request. */
export type Fault = (context: Context) => boolean;

interface Manifest {
  readonly type: string;
  readonly bytes: Uint8Array;
}

export interface ChaosOptions {
  readonly tls?: { readonly key: string; readonly cert: string; readonly ca?: string };
  /** Called for each request; answers the challenge for who must not. */
  readonly guard?: (request: IncomingMessage) => string | undefined;
}

export class ChaosRegistry implements AsyncDisposable {
  readonly blobs = new Map<string, Uint8Array>();
  /** By repository and tag or digest. */
  readonly manifests = new Map<string, Manifest>();
  readonly asked: Asked[] = [];
  fault: Fault | undefined;
  readonly #uploads = new Map<string, Buffer[]>();
  readonly #server: Server;
  readonly #options: ChaosOptions;

  private constructor(options: ChaosOptions) {
    this.#options = options;
    const listener = (request: IncomingMessage, response: ServerResponse): void => {
      response.on("error", () => {});
      request.on("error", () => {});
      this.#answer(request, response);
    };
    const { tls } = options;
    this.#server =
      tls === undefined
        ? createServer(listener)
        : createTlsServer({ ...tls, ...(tls.ca === undefined ? {} : { requestCert: true }) }, listener);
  }

  static async start(options: ChaosOptions = {}): Promise<ChaosRegistry> {
    const registry = new ChaosRegistry(options);
    await new Promise<void>((resolve) => registry.#server.listen(0, "127.0.0.1", resolve));
    return registry;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get host(): string {
    return `127.0.0.1:${this.port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  put(bytes: string | Uint8Array): { readonly digest: string; readonly size: number } {
    const whole = typeof bytes === "string" ? Buffer.from(bytes) : bytes;
    this.blobs.set(digestOf(whole), whole);
    return { digest: digestOf(whole), size: whole.length };
  }

  putManifest(repository: string, reference: string, type: string, document: object): { digest: string; size: number } {
    const bytes = Buffer.from(JSON.stringify(document));
    const manifest = { type, bytes };
    this.manifests.set(`${repository} ${reference}`, manifest);
    this.manifests.set(`${repository} ${digestOf(bytes)}`, manifest);
    return { digest: digestOf(bytes), size: bytes.length };
  }

  /** What has come of an upload, for a fault that takes part of it. */
  uploadOf(url: string): Buffer[] {
    return this.#uploads.get(url.split("?")[0]!.split("/").at(-1)!)!;
  }

  /** How often something was asked for whose path ends so. */
  count(method: string, ending: string): number {
    return this.asked.filter((one) => one.method === method && one.path.split("?")[0]!.endsWith(ending)).length;
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const { method = "GET", url = "/" } = request;
    const before = this.asked.filter((one) => one.method === method && one.path === url).length;
    const { range, authorization } = request.headers;
    this.asked.push({ method, path: url, range, authorization, contentRange: request.headers["content-range"] });
    const challenge = this.#options.guard?.(request);
    if (challenge !== undefined) {
      response.writeHead(401, { "WWW-Authenticate": challenge, "Content-Type": "application/json" });
      response.end('{"errors":[{"code":"UNAUTHORIZED","message":"authentication required"}]}');
      return;
    }
    const path = url.split("?")[0]!;
    const bytes = this.#bytesOf(path) ?? new Uint8Array();
    const serve = (): void => this.#serve(request, response, path, new URL(url, "http://x").searchParams);
    if (this.fault?.({ request, response, path, before, bytes, serve }) === true) return;
    serve();
  }

  #bytesOf(path: string): Uint8Array | undefined {
    const blob = /\/blobs\/(sha256:[0-9a-f]{64})$/.exec(path)?.[1];
    if (blob !== undefined) return this.blobs.get(blob);
    return this.#manifest(path)?.bytes;
  }

  #manifest(path: string): Manifest | undefined {
    const [, repository, reference] = /^\/v2\/(.+)\/manifests\/([^/]+)$/.exec(path) ?? [];
    return this.manifests.get(`${repository} ${reference}`);
  }

  #serve(request: IncomingMessage, response: ServerResponse, path: string, query: URLSearchParams): void {
    const { method = "GET" } = request;
    if (path === "/v2/") {
      response.writeHead(200).end("{}");
      return;
    }
    if (path.endsWith("/tags/list")) {
      this.#tags(response, path, query);
      return;
    }
    if (path.includes("/blobs/uploads/")) {
      this.#upload(request, response, path, query);
      return;
    }
    if (method === "PUT" && path.includes("/manifests/")) {
      this.#takeManifest(request, response, path);
      return;
    }
    const bytes = this.#bytesOf(path);
    if (bytes === undefined) {
      refuse(response, 404, path.includes("/blobs/") ? "BLOB_UNKNOWN" : "MANIFEST_UNKNOWN");
      return;
    }
    const manifest = this.#manifest(path);
    const headers: Record<string, string | number> = {
      "Docker-Content-Digest": digestOf(bytes),
      "Content-Type": manifest?.type ?? "application/octet-stream",
    };
    const range = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? "");
    if (range === null || manifest !== undefined) {
      response.writeHead(200, { ...headers, "Content-Length": bytes.length });
      response.end(method === "HEAD" ? undefined : bytes);
      return;
    }
    const [from, to] = [Number(range[1]), range[2] === "" ? bytes.length - 1 : Number(range[2])];
    if (from >= bytes.length) {
      refuse(response, 416, "RANGE_INVALID");
      return;
    }
    const part = bytes.subarray(from, to + 1);
    response.writeHead(206, {
      ...headers,
      "Content-Range": `bytes ${from}-${to}/${bytes.length}`,
      "Content-Length": part.length,
    });
    response.end(part);
  }

  #tags(response: ServerResponse, path: string, query: URLSearchParams): void {
    const repository = path.slice("/v2/".length, -"/tags/list".length);
    const all = [...this.manifests.keys()]
      .filter((key) => key.startsWith(`${repository} `) && !key.includes("sha256:"))
      .map((key) => key.slice(repository.length + 1))
      .sort();
    const last = query.get("last") ?? "";
    const page = all.filter((tag) => tag > last).slice(0, 2);
    const more = all.some((tag) => tag > (page.at(-1) ?? ""));
    const link = more ? { Link: `<${path}?last=${page.at(-1)}&n=2>; rel="next"` } : {};
    response
      .writeHead(200, { "Content-Type": "application/json", ...link })
      .end(JSON.stringify({ name: repository, tags: page }));
  }

  #upload(request: IncomingMessage, response: ServerResponse, path: string, query: URLSearchParams): void {
    const { method } = request;
    const repository = path.slice("/v2/".length, path.indexOf("/blobs/"));
    if (method === "POST") {
      const mount = query.get("mount");
      if (mount !== null && this.blobs.has(mount)) {
        response.writeHead(201, { Location: `/v2/${repository}/blobs/${mount}`, "Docker-Content-Digest": mount }).end();
        return;
      }
      const id = randomBytes(8).toString("hex");
      this.#uploads.set(id, []);
      response.writeHead(202, { Location: `/v2/${repository}/blobs/uploads/${id}?state=1`, Range: "0-0" }).end();
      return;
    }
    const id = path.split("/").at(-1)!;
    const kept = this.#uploads.get(id);
    if (kept === undefined) {
      refuse(response, 404, "BLOB_UPLOAD_UNKNOWN");
      return;
    }
    const size = (): number => kept.reduce((sum, { length }) => sum + length, 0);
    const location = `/v2/${repository}/blobs/uploads/${id}?state=${size() + 1}`;
    if (method === "GET") {
      response.writeHead(204, { Location: location, Range: `0-${Math.max(size() - 1, 0)}` }).end();
      return;
    }
    const from = /^(\d+)-/.exec(request.headers["content-range"] ?? "")?.[1];
    if (from !== undefined && Number(from) !== size()) {
      response.writeHead(416, { Location: location, Range: `0-${Math.max(size() - 1, 0)}` }).end();
      return;
    }
    request.on("data", (chunk: Buffer) => kept.push(chunk));
    request.on("end", () => {
      if (method === "PATCH") {
        response.writeHead(202, { Location: location, Range: `0-${size() - 1}` }).end();
        return;
      }
      const bytes = Buffer.concat(kept);
      const digest = query.get("digest");
      if (digest !== digestOf(bytes)) {
        refuse(response, 400, "DIGEST_INVALID");
        return;
      }
      this.#uploads.delete(id);
      this.put(bytes);
      response.writeHead(201, { Location: `/v2/${repository}/blobs/${digest}`, "Docker-Content-Digest": digest }).end();
    });
  }

  #takeManifest(request: IncomingMessage, response: ServerResponse, path: string): void {
    const [, repository, reference] = /^\/v2\/(.+)\/manifests\/([^/]+)$/.exec(path) ?? [];
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const bytes = Buffer.concat(chunks);
      const manifest = { type: request.headers["content-type"] ?? "", bytes };
      for (const name of [reference!, digestOf(bytes)]) this.manifests.set(`${repository} ${name}`, manifest);
      response.writeHead(201, { "Docker-Content-Digest": digestOf(bytes) }).end();
    });
  }
}

export const refuse = (
  response: ServerResponse,
  status: number,
  code: string,
  headers: Record<string, string> = {},
): void => {
  response.writeHead(status, { "Content-Type": "application/json", ...headers });
  response.end(JSON.stringify({ errors: [{ code, message: code.toLowerCase().replaceAll("_", " ") }] }));
};
