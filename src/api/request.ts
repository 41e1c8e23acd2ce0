/** What the client sends: heads, queries and bodies of HTTP/1.1 requests. */
import type { StreamSocket } from "../base/socket.ts";

/** A query's value; several values repeat the name, and what is undefined, false or empty is left out, as Docker does. */
export type QueryValue = string | number | boolean | readonly string[] | undefined;

export interface RequestOptions {
  readonly query?: Readonly<Record<string, QueryValue>>;
  /** Sent as JSON. */
  readonly json?: unknown;
  /** Sent as it comes, in chunks. */
  readonly stream?: { readonly type: string; readonly data: AsyncIterable<Uint8Array> };
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
  /** Called when the request is on its way: what is done now costs nobody any time. */
  readonly sent?: () => void;
}

/** The head of a request, with its JSON body behind it. */
export const requestHead = (method: string, path: string, options: RequestOptions, upgrade: boolean): string => {
  const lines = [
    `${method} ${path}${encodeQuery(options.query ?? {})} HTTP/1.1`,
    "Host: api.pier.localhost",
    "User-Agent: pier",
    ...Object.entries(options.headers ?? {}).map(([name, value]) => `${name}: ${value}`),
  ];
  if (upgrade) lines.push("Connection: Upgrade", "Upgrade: tcp");
  if (options.stream !== undefined) lines.push(`Content-Type: ${options.stream.type}`, "Transfer-Encoding: chunked");
  const body = options.json === undefined ? "" : JSON.stringify(options.json);
  if (options.json !== undefined) lines.push("Content-Type: application/json");
  if (options.stream === undefined && method !== "GET") lines.push(`Content-Length: ${Buffer.byteLength(body)}`);
  return `${lines.join("\r\n")}\r\n\r\n${body}`;
};

/** A query as Go's url.Values encodes it: sorted by name, spaces as `+`. */
export const encodeQuery = (query: Readonly<Record<string, QueryValue>>): string => {
  const pairs: string[] = [];
  for (const name of Object.keys(query).sort()) {
    const value = query[name];
    const values = Array.isArray(value) ? value : [value as Exclude<QueryValue, readonly string[]>];
    for (const one of values) {
      if (one === undefined || one === false || one === "") continue;
      pairs.push(`${escapeQuery(name)}=${escapeQuery(one === true ? "1" : String(one))}`);
    }
  }
  return pairs.length === 0 ? "" : `?${pairs.join("&")}`;
};

const escapeQuery = (text: string): string =>
  encodeURIComponent(text)
    .replace(/[!'()*]/g, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`)
    .replaceAll("%20", "+");

/** Sends head and body, as fast as the daemon takes it; a connection that was given up takes no more. */
export const sendRequest = async (socket: StreamSocket, head: string, options: RequestOptions): Promise<void> => {
  socket.hold(true);
  socket.write(head);
  if (options.stream === undefined) return;
  for await (const chunk of options.stream.data) {
    if (chunk.length === 0) continue;
    if (!socket.isOpen) return;
    const piece = Buffer.concat([Buffer.from(`${chunk.length.toString(16)}\r\n`), chunk, Buffer.from("\r\n")]);
    if (!socket.write(piece)) await socket.drained();
  }
  socket.write("0\r\n\r\n");
};
