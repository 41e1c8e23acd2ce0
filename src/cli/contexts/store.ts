/**
 * docker's store of contexts, which both commands read and write: of each a file, and the certificates of its endpoints,
 * beneath the digest of its name.
 */
import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { errnoOf } from "../../base/errors.ts";
import { configDirectory } from "../docker-config.ts";
import { cliError } from "../errors.ts";
import { fileFailure } from "../failure.ts";

/** The endpoint that is a daemon's; others have put others there. */
export const DOCKER = "docker";

export interface Endpoint {
  readonly Host?: string;
  readonly SkipTLSVerify?: boolean;
}

/** As its file has it. */
export interface Context {
  readonly Name: string;
  readonly Metadata: { readonly Description?: string; readonly [other: string]: unknown };
  readonly Endpoints: Readonly<Record<string, Endpoint>>;
}

/** Of each endpoint, what the files with its certificates and keys hold. */
export type Certificates = Readonly<Record<string, Readonly<Record<string, Buffer>>>>;

/** Where docker keeps them. */
export const placesOf = (name: string): { readonly metadata: string; readonly tls: string } => {
  const id = createHash("sha256").update(name).digest("hex");
  const store = join(configDirectory(), "contexts");
  return { metadata: join(store, "meta", id), tls: join(store, "tls", id) };
};

const FILE = "meta.json";

/** Throws for a name that docker would refuse. */
export const checkName = (name: string): void => {
  if (name === "") throw cliError("contextNameEmpty", {});
  if (name === "default") throw cliError("contextNameReserved", {});
  if (!/^[a-zA-Z0-9][a-zA-Z0-9_.+-]+$/.test(name)) throw cliError("contextNameInvalid", { name });
};

/** A context as JSON has it; throws for what is none. */
export const parseContext = (text: string, path: string): Context => {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw cliError("contextUnreadable", { path }, cause);
  }
  const { Name, Metadata, Endpoints } = (value ?? {}) as Partial<Context>;
  const isMissing = (part: unknown): boolean => part === undefined || part === null;
  const isObject = (part: unknown): boolean => typeof part === "object" && !Array.isArray(part);
  const parts = [Metadata, Endpoints, ...(isMissing(Endpoints) ? [] : Object.values(Endpoints!))];
  if (!isObject(value) || !parts.every((part) => isMissing(part) || isObject(part)))
    throw cliError("contextUnreadable", { path });
  return { Name: String(Name ?? ""), Metadata: Metadata ?? {}, Endpoints: Endpoints ?? {} };
};

/** JSON as Go writes it, so that both commands write the same. */
export const encodeJson = (value: object): string =>
  JSON.stringify(value).replace(
    /[<>&\u2028\u2029]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );

/** Undefined where there is none. */
const findContext = (path: string): Context | undefined => {
  try {
    return parseContext(readFileSync(path, "utf8"), path);
  } catch (error) {
    if (errnoOf(error) === "ENOENT" || errnoOf(error) === "ENOTDIR") return undefined;
    throw errnoOf(error) === undefined ? error : fileFailure(path, error);
  }
};

export const hasContext = (name: string): boolean => findContext(join(placesOf(name).metadata, FILE)) !== undefined;

export const getContext = (name: string): Context => {
  const path = join(placesOf(name).metadata, FILE);
  const found = findContext(path);
  if (found === undefined) throw cliError("noSuchContext", { name, path });
  return found;
};

/** All that are there. */
export const listContexts = (): readonly Context[] => {
  const root = dirname(placesOf("").metadata);
  return namesIn(root, "directories").flatMap((id) => findContext(join(root, id, FILE)) ?? []);
};

/** What begins with a dot is of whoever is writing, or of a file manager. */
const namesIn = (directory: string, kind: "directories" | "files"): readonly string[] => {
  try {
    const entries = readdirSync(directory, { withFileTypes: true });
    return entries
      .filter((entry) => !entry.name.startsWith(".") && entry.isDirectory() === (kind === "directories"))
      .map(({ name }) => name)
      .sort();
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return [];
    throw fileFailure(directory, error);
  }
};

/** The certificates of all its endpoints. */
export const readCertificates = (name: string): Certificates => {
  const { tls } = placesOf(name);
  const filesOf = (endpoint: string) =>
    namesIn(join(tls, endpoint), "files").map((file) => [file, readFileSync(join(tls, endpoint, file))] as const);
  return Object.fromEntries(
    namesIn(tls, "directories").map((endpoint) => [endpoint, Object.fromEntries(filesOf(endpoint))]),
  );
};

/** Holds afterwards: the context is stored; endpoints that `certificates` names have these, and others what they had. */
export const writeContext = (context: Context, certificates: Certificates): void => {
  const { metadata, tls } = placesOf(context.Name);
  // What a connection is believed by is there before what says where it goes.
  for (const [endpoint, files] of Object.entries(certificates)) {
    const directory = join(tls, endpoint);
    rmSync(directory, { recursive: true, force: true });
    if (Object.keys(files).length > 0) mkdirSync(directory, { recursive: true, mode: 0o700 });
    for (const [file, content] of Object.entries(files)) writeAtOnce(join(directory, file), content, 0o600);
  }
  mkdirSync(metadata, { recursive: true, mode: 0o755 });
  writeAtOnce(join(metadata, FILE), encodeJson(context), 0o644);
};

const writeAtOnce = (path: string, content: string | Buffer, mode: number): void => {
  const temporary = join(dirname(path), `.${process.pid}`);
  writeFileSync(temporary, content, { mode });
  renameSync(temporary, path);
};

/** Holds afterwards: nothing is left of it. */
export const removeContext = (name: string): void => {
  const { metadata, tls } = placesOf(name);
  rmSync(metadata, { recursive: true, force: true });
  rmSync(tls, { recursive: true, force: true });
};
