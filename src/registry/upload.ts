/** Blobs and manifests to a registry: what it has is not sent, what breaks off goes on where it was. */
import { type Digest, isDigest } from "../base/ids.ts";
import { registryError } from "./errors.ts";
import { type RegistryRequest, redirected, refusal } from "./exchange.ts";
import type { Endpoint } from "./hosts.ts";
import { reasonOf } from "./reasons.ts";
import type { Repository } from "./repository.ts";
import { Attempts, Passing, retrying } from "./retry.ts";
import { bodyOf, readAll, type WireAnswer } from "./transport.ts";

/** Bytes that can be read from any of them on, and again. */
export interface UploadSource {
  readonly digest: Digest;
  readonly size: number;
  open(from: number): AsyncIterable<Uint8Array>;
}

export interface UploadOptions {
  /** Another repository of the registry that is known to have it. */
  readonly mountFrom?: string | undefined;
  /** Told how many bytes have been sent. */
  readonly progress?: (current: number) => void;
  readonly signal?: AbortSignal | undefined;
}

/** Below this one request takes all: most configurations, and many layers. */
const smallBytes = 512 * 1024;

export const uploadBlob = async (
  repository: Repository,
  source: UploadSource,
  { mountFrom, progress = () => {}, signal }: UploadOptions,
): Promise<"exists" | "mounted" | "uploaded"> => {
  if (await hasBlob(repository, source.digest, signal)) return "exists";
  const begun = await begin(repository, source.digest, mountFrom, signal);
  if (begun === undefined) return "mounted";
  const attempts = new Attempts(repository.options.settings, signal);
  let upload: Upload | undefined = begun;
  for (let sent = 0; ; ) {
    try {
      upload ??= await begin(repository, source.digest, undefined, signal);
      if (upload === undefined) return "mounted";
      await send(repository, upload, source, (current) => progress(current), signal);
      return "uploaded";
    } catch (error) {
      await attempts.again(error);
      upload = upload === undefined ? undefined : await status(repository, upload, signal).catch(() => undefined);
      if ((upload?.offset ?? 0) > sent) attempts.succeeded();
      sent = upload?.offset ?? 0;
    }
  }
};

/** Holds afterwards: the tag, or digest, is this manifest. */
export const uploadManifest = async (
  repository: Repository,
  reference: string,
  manifest: { readonly bytes: Uint8Array; readonly digest: Digest; readonly mediaType: string },
  signal?: AbortSignal,
): Promise<void> => {
  const { bytes, digest, mediaType } = manifest;
  const { settings, ways } = repository.options;
  const more = { headers: { "Content-Type": mediaType }, body: bodyOf(bytes) };
  const request = repository.request("PUT", `${repository.base}/manifests/${reference}`, signal, more);
  await retrying(settings, signal, () =>
    ways.first(signal, async (endpoint) => {
      const answer = await repository.send(endpoint, request);
      if (answer.status !== 201 && answer.status !== 200) throw await denied(repository, endpoint, request, answer);
      await answer.discard();
      const found = answer.headers.get("docker-content-digest") ?? digest;
      if (isDigest(found) && found !== digest) {
        throw registryError("uploadRefused", { host: endpoint.host, what: digest, found });
      }
    }),
  );
};

const hasBlob = (repository: Repository, digest: Digest, signal: AbortSignal | undefined): Promise<boolean> => {
  const { settings, ways } = repository.options;
  const request = repository.request("HEAD", `${repository.base}/blobs/${digest}`, signal);
  return retrying(settings, signal, () =>
    ways.first(signal, async (endpoint) => {
      const answer = await repository.send(endpoint, request);
      await answer.discard();
      return answer.status === 200;
    }),
  );
};

interface Upload {
  readonly endpoint: Endpoint;
  readonly location: URL;
  readonly offset: number;
}

/** Undefined when the registry has taken the blob from its other repository. */
const begin = (
  repository: Repository,
  digest: Digest,
  mountFrom: string | undefined,
  signal: AbortSignal | undefined,
): Promise<Upload | undefined> => {
  const { settings, ways, path } = repository.options;
  const query = mountFrom === undefined ? "" : `?${new URLSearchParams({ mount: digest, from: mountFrom }).toString()}`;
  const own = repository.request("POST", `${repository.base}/blobs/uploads/${query}`, signal);
  const other = mountFrom === undefined || mountFrom === path ? [] : [`repository:${mountFrom}:pull`];
  const request = { ...own, scopes: [...own.scopes, ...other] };
  return retrying(settings, signal, () =>
    ways.first(signal, async (endpoint) => {
      const answer = await repository.send(endpoint, request);
      if (answer.status === 201) {
        await answer.discard();
        return undefined;
      }
      if (answer.status !== 202) throw await denied(repository, endpoint, request, answer);
      return await follow(endpoint, answer, 0);
    }),
  );
};

/** Where an upload goes on, as its last answer says. */
const follow = async (endpoint: Endpoint, answer: WireAnswer, offset: number): Promise<Upload> => {
  await answer.discard();
  const location = answer.headers.get("location");
  if (location === undefined) throw registryError("uploadLost", { host: endpoint.host });
  return { endpoint, location: redirected(endpoint.url, location, endpoint), offset };
};

/** How far an upload has come; undefined when the registry does not know it any more. */
const status = async (
  repository: Repository,
  { endpoint, location }: Upload,
  signal: AbortSignal | undefined,
): Promise<Upload | undefined> => {
  const answer = await repository.send(endpoint, repository.request("GET", location, signal));
  if (answer.status !== 204 && answer.status !== 202) {
    await answer.discard();
    return undefined;
  }
  // `0-0` is what nothing and one byte look like.
  const end = Number(/^(?:bytes=)?0-(\d+)$/.exec(answer.headers.get("range") ?? "")?.[1] ?? 0);
  return await follow(endpoint, answer, end === 0 ? 0 : end + 1);
};

const send = async (
  repository: Repository,
  upload: Upload,
  source: UploadSource,
  progress: (current: number) => void,
  signal: AbortSignal | undefined,
): Promise<void> => {
  const { endpoint, offset } = upload;
  const left = source.size - offset;
  const open = (): AsyncIterable<Uint8Array> => counted(source.open(offset), offset, progress);
  if (offset === 0 && source.size <= smallBytes) {
    return await finish(repository, upload, source.digest, { size: left, open }, signal);
  }
  let at = upload;
  if (left > 0) {
    const headers = {
      "Content-Type": "application/octet-stream",
      ...(offset === 0 ? {} : { "Content-Range": `${offset}-${source.size - 1}` }),
    };
    const request = repository.request("PATCH", upload.location, signal, { headers, body: { size: left, open } });
    const answer = await repository.send(endpoint, request);
    if (answer.status === 416 || answer.status === 404) {
      await answer.discard();
      throw new Passing(registryError("uploadLost", { host: endpoint.host }));
    }
    if (answer.status !== 202 && answer.status !== 201) throw await denied(repository, endpoint, request, answer);
    at = await follow(endpoint, answer, source.size);
  }
  await finish(repository, at, source.digest, bodyOf(new Uint8Array()), signal);
};

const finish = async (
  repository: Repository,
  { endpoint, location }: Upload,
  digest: Digest,
  body: NonNullable<RegistryRequest["body"]>,
  signal: AbortSignal | undefined,
): Promise<void> => {
  const url = new URL(location);
  url.searchParams.set("digest", digest);
  const headers = { "Content-Type": "application/octet-stream" };
  const request = repository.request("PUT", url, signal, { headers, body });
  const answer = await repository.send(endpoint, request);
  if (answer.status !== 201 && answer.status !== 204) throw await denied(repository, endpoint, request, answer);
  await answer.discard();
};

async function* counted(
  source: AsyncIterable<Uint8Array>,
  from: number,
  progress: (current: number) => void,
): AsyncGenerator<Uint8Array> {
  let at = from;
  for await (const bytes of source) {
    yield bytes;
    at += bytes.length;
    progress(at);
  }
}

const denied = async (
  repository: Repository,
  endpoint: Endpoint,
  request: RegistryRequest,
  answer: WireAnswer,
): Promise<Error> => {
  if (answer.status !== 401 && answer.status !== 403) return await refusal(endpoint, request, answer);
  const reason = reasonOf(await readAll(answer, "a refusal", 64 * 1024).catch(() => new Uint8Array()));
  return registryError("pushDenied", { repository: repository.options.path, reason });
};
