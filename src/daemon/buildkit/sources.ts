/** What the client of a build has in its session: the Dockerfile, the context, secrets, and who it is at registries. */
import { createHash } from "node:crypto";
import type { BuildSource } from "../../build/builds.ts";
import type { Secrets } from "../../build/secrets.ts";
import { codes, GrpcError } from "../../format/buildkit/grpc.ts";
import { credentialsAnswer, credentialsRequest, secretAnswer, secretRequest } from "../../format/buildkit/messages.ts";
import { parseIgnoreFile } from "../../format/ignore.ts";
import { readTar } from "../../format/tar/read.ts";
import type { Credentials } from "../../registry/credentials.ts";
import { SyncedDirectory, syncDirectory } from "./filesync.ts";
import type { Progress } from "./progress.ts";
import type { Session } from "./session.ts";

const readFiles = async (session: Session, name: string, follow: readonly string[], signal: AbortSignal) => {
  const files = new Map<string, string>();
  for await (const { entry, content } of readTar(syncDirectory(session, { name, follow }))) {
    signal.throwIfAborted();
    if (entry.type !== "file") continue;
    const parts: Uint8Array[] = [];
    for await (const part of content) parts.push(part);
    files.set(Buffer.from(entry.path).toString(), Buffer.concat(parts).toString());
  }
  return files;
};

/** A directory of the client's, without what its own .dockerignore leaves out. */
export async function* openDirectory(session: Session, name: string, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  const ignore = (await readFiles(session, name, [".dockerignore"], signal)).get(".dockerignore");
  yield* syncDirectory(session, { name, exclude: ignore === undefined ? [] : parseIgnoreFile(ignore) });
}

/** The Dockerfile, and the context without what is ignored of it. */
export const readSource = async (
  session: Session,
  dockerfile: string,
  progress: Progress,
  signal: AbortSignal,
): Promise<Required<BuildSource>> => {
  const { text, ignore: beside } = await readDockerfile(session, dockerfile, progress, signal);
  const ignore = beside ?? (await readFiles(session, "context", [".dockerignore"], signal)).get(".dockerignore");
  const exclude = ignore === undefined ? [] : parseIgnoreFile(ignore);
  return { archive: contextIn(session, exclude), dockerfile, text };
};

/** All of it, or of a client that says whose directory it is what has changed since its last build. */
const contextIn = (session: Session, exclude: readonly string[]): BuildSource["archive"] => {
  const options = { name: "context", exclude };
  if (session.sharedKey === "") return syncDirectory(session, options);
  const key = createHash("sha256")
    .update(JSON.stringify([session.sharedKey, exclude]))
    .digest("hex");
  let directory: SyncedDirectory | undefined;
  const opened = (): SyncedDirectory => (directory ??= new SyncedDirectory(session, options));
  return { key, list: () => opened().list(), read: (places) => opened().read(places) };
};

/** The Dockerfile alone, and what is left out beside it. */
export const readDockerfile = async (
  session: Session,
  dockerfile: string,
  progress: Progress,
  signal: AbortSignal,
): Promise<{ readonly text: string; readonly ignore: string | undefined }> => {
  const began = Date.now();
  const names = [dockerfile, `${dockerfile}.dockerignore`, dockerfile.toLowerCase()];
  const own = await readFiles(session, "dockerfile", names, signal);
  const text = own.get(dockerfile) ?? own.get(dockerfile.toLowerCase());
  if (text === undefined)
    throw new GrpcError(codes.notFound, `failed to read dockerfile: open ${dockerfile}: no such file or directory`);
  progress.tell(-1, `[internal] load build definition from ${dockerfile}`, began, Date.now());
  return { text, ignore: own.get(`${dockerfile}.dockerignore`) };
};

/** A session without secrets or credentials does not know the question. */
const ifUnknown = (error: unknown): undefined => {
  if (error instanceof GrpcError && (error.code === codes.notFound || error.code === codes.unimplemented)) return;
  throw error;
};

export const fetchSecrets = async (session: Session, ids: readonly string[]): Promise<Secrets> => {
  const secrets = new Map<string, Uint8Array>();
  for (const ID of new Set(ids)) {
    const path = "/moby.buildkit.secrets.v1.Secrets/GetSecret";
    const found = await session.ask(path, [secretRequest, { ID }], secretAnswer).catch(ifUnknown);
    if (found !== undefined) secrets.set(ID, found.data);
  }
  return secrets;
};

/** Undefined where the client is nobody there. */
export const fetchCredentials = async (session: Session, domain: string): Promise<Credentials | undefined> => {
  const path = "/moby.filesync.v1.Auth/Credentials";
  const Host = domain === "docker.io" ? "registry-1.docker.io" : domain;
  const found = await session.ask(path, [credentialsRequest, { Host }], credentialsAnswer).catch(ifUnknown);
  const { Username: username, Secret } = found ?? { Username: "", Secret: "" };
  if (username + Secret === "") return undefined;
  // A secret of nobody's is a token (OAuth's refresh token).
  const [password, identityToken] = username === "" ? ["", Secret] : [Secret, ""];
  return { username, password, identityToken, registryToken: "" };
};
