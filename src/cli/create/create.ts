/** Creates a container, with the image fetched before where it must be. */
import type { ProgressLine } from "../../api/answers/images.ts";
import { AnswerError, type Client, jsonLines } from "../../api/client.ts";
import { showProgress } from "../output/progress.ts";
import { print, printError } from "../streams/output.ts";
import { familiarName, parseReference } from "../values/reference.ts";
import { IdFile } from "./id-file.ts";
import type { CreateRequest } from "./request.ts";

export interface CreateOptions {
  readonly pull: string;
  readonly quiet: boolean;
  readonly idFile: string;
  /** Called while the daemon makes the container. */
  readonly meanwhile?: () => void;
}

/** Resolves to the new container's id; the daemon's warnings are written to standard error. */
export const createContainer = async (
  client: Client,
  request: CreateRequest,
  options: CreateOptions,
): Promise<string> => {
  using file = new IdFile(options.idFile);
  warnOfLocalDns(request);
  if (options.pull === "always") await pull(client, request, options.quiet);
  const { Id, Warnings } = await createOrPull(client, request, options);
  for (const warning of Warnings ?? []) printError(`WARNING: ${warning}\n`);
  file.write(Id);
  return Id;
};

const createOrPull = async (client: Client, request: CreateRequest, options: CreateOptions) => {
  const { name, platform, body } = request;
  const sent = options.meanwhile === undefined ? {} : { sent: options.meanwhile };
  const create = () => client.get("containerCreate", {}, { query: { name, platform }, json: body, ...sent });
  try {
    return await create();
  } catch (error) {
    const absent =
      error instanceof AnswerError && error.status === 404 && options.pull === "missing" && isName(body.Image ?? "");
    if (!absent) throw error;
    if (!options.quiet) printError(`Unable to find image '${taggedName(body.Image ?? "")}' locally\n`);
    await pull(client, request, options.quiet);
    return await create();
  }
};

const isName = (image: string): boolean => !/^(sha256:)?[0-9a-f]{64}$/.test(image);

const taggedName = (image: string): string => {
  const { name, tag, digest } = parseReference(image);
  const ending = digest === undefined ? `:${tag ?? "latest"}` : `${tag === undefined ? "" : `:${tag}`}@${digest}`;
  return familiarName(name) + ending;
};

const pull = async (client: Client, { platform, body }: CreateRequest, quiet: boolean): Promise<void> => {
  const { name, tag, digest } = parseReference(body.Image ?? "");
  const query = { fromImage: name, tag: digest ?? tag ?? "latest", platform };
  const { authHeaders } = await import("../registry/auth.ts");
  const headers = await authHeaders(name);
  const { body: lines } = await client.send("imageCreate", {}, { query, headers });
  await showProgress(jsonLines<ProgressLine>(lines), { quiet, toErrors: true });
};

/** Addresses of this host's loopback mean another one in a container. */
const warnOfLocalDns = ({ body }: CreateRequest): void => {
  const local = body.HostConfig?.Dns?.find((address) => address.startsWith("127.") || address === "::1");
  if (local !== undefined) printError(`WARNING: Localhost DNS (${local}) may fail in containers.\n`);
};

/** `--explain`: prints what the daemon would do, and does nothing. */
export const explainContainer = async (client: Client, { body }: CreateRequest, format: string): Promise<void> => {
  const query = { format: format === "json" ? "json" : "text" };
  const { body: plan } = await client.send("explain", {}, { query, json: body });
  const text = Buffer.concat(await Array.fromAsync(plan)).toString();
  print(text.endsWith("\n") ? text : `${text}\n`);
};
