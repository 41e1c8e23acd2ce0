/** One repository of a registry, in the words of the distribution specification: manifests, blobs, tags. */
import { createHash } from "node:crypto";
import { list, nullable, object, parseJson, string } from "../api/shape.ts";
import { type Digest, digestFromHex, isDigest } from "../base/ids.ts";
import { isLoopback } from "./addresses.ts";
import { registryError } from "./errors.ts";
import { type Exchange, type RegistryRequest, refusal } from "./exchange.ts";
import type { Endpoint } from "./hosts.ts";
import { reasonOf } from "./reasons.ts";
import { Attempts, Passing, retrying } from "./retry.ts";
import type { RegistrySettings } from "./settings.ts";
import { readAll, type WireAnswer } from "./transport.ts";
import type { Ways } from "./ways.ts";

export interface RepositoryOptions {
  readonly domain: string;
  readonly path: string;
  readonly ways: Ways;
  readonly actions: "pull" | "pull,push";
  readonly exchange: Exchange;
  readonly settings: RegistrySettings;
}

export interface ManifestBytes {
  readonly bytes: Uint8Array;
  readonly digest: Digest;
  /** As the registry calls it, without parameters. */
  readonly mediaType: string;
}

/** Names bytes by their digest and length. */
export interface BlobName {
  readonly digest: Digest;
  readonly size: number;
  /** Where else they are, for layers that registries may not give away. */
  readonly urls?: readonly string[] | null;
}

/** All kinds that are understood; the order is no preference. */
const manifestTypes = [
  "application/vnd.oci.image.index.v1+json",
  "application/vnd.oci.image.manifest.v1+json",
  "application/vnd.docker.distribution.manifest.list.v2+json",
  "application/vnd.docker.distribution.manifest.v2+json",
].join(", ");
/** What images were before 2015, plain or signed. */
const firstSchema = /^application\/vnd\.docker\.distribution\.manifest\.v1\+(json|prettyjws)$/;
const maxManifestBytes = 4 * 1024 * 1024;
const tagsShape = object({ tags: nullable(list(string)) });
const maxTagPages = 1000;
/** What counts as progress, so that a line that breaks again and again is still a line. */
const worthwhile = 1024 * 1024;

export class Repository {
  readonly options: RepositoryOptions;

  constructor(options: RepositoryOptions) {
    this.options = options;
  }

  /** The digest that a tag stands for now; undefined where the registry does not say it without being asked for more. */
  async resolve(reference: string, signal?: AbortSignal): Promise<Digest | undefined> {
    return await this.#try(signal, async (endpoint) => {
      const answer = await this.send(endpoint, this.#manifestRequest("HEAD", reference, signal));
      await answer.discard();
      const digest = answer.headers.get("docker-content-digest") ?? "";
      return answer.status === 200 && isDigest(digest) ? digest : undefined;
    });
  }

  /** Its bytes are those of the digest that was asked for, or that the registry says. */
  async manifest(reference: string, signal?: AbortSignal): Promise<ManifestBytes> {
    return await this.#try(signal, async (endpoint) => {
      const request = this.#manifestRequest("GET", reference, signal);
      const answer = await this.send(endpoint, request);
      if (answer.status !== 200)
        throw await this.#missing(endpoint, request, answer, `manifest for ${this.#named(reference)}`);
      const mediaType = (answer.headers.get("content-type") ?? "").split(";")[0]!.trim();
      // Its digest leaves out the signatures in it: only who reads it could verify it.
      if (firstSchema.test(mediaType)) {
        await answer.discard();
        const what = this.#named(reference);
        throw registryError("schemaOne", { what, name: `${endpoint.host}/${what}` });
      }
      const bytes = await readAll(plain(answer, endpoint, "a manifest"), "the manifest", maxManifestBytes);
      if (answer.length !== undefined && bytes.length !== answer.length)
        throw new Passing(registryError("answerCut", { host: endpoint.host }));
      const digest = digestFromHex(createHash("sha256").update(bytes).digest("hex"));
      const said = reference.startsWith("sha256:") ? reference : answer.headers.get("docker-content-digest");
      // Others algorithms than ours say nothing that we could check.
      if (said?.startsWith("sha256:") && said !== digest) {
        throw new Passing(
          registryError("digestLied", { host: endpoint.host, what: this.#named(reference), said, found: digest }),
        );
      }
      return { bytes, digest, mediaType };
    });
  }

  /** A small blob in one piece, of the length and digest that its name says. */
  async document(blob: BlobName, limit: number, signal?: AbortSignal): Promise<Uint8Array> {
    if (blob.size > limit) throw registryError("documentTooLarge", { what: blob.digest, limit });
    const chunks = await Array.fromAsync(this.blob(blob, 0, signal));
    return Buffer.concat(chunks);
  }

  /**
   * The bytes of a blob from one of them on, as many as its name says. What breaks is taken up where it broke; what the
   * bytes are is for the reader to verify.
   */
  async *blob(blob: BlobName, from: number, signal?: AbortSignal): AsyncGenerator<Uint8Array> {
    const attempts = new Attempts(this.options.settings, signal);
    let at = from;
    for (let begun = at; at < blob.size; begun = at) {
      try {
        for await (const bytes of this.#part(blob, at, signal)) {
          at += bytes.length;
          yield bytes;
        }
        if (at < blob.size) throw new Passing(registryError("answerCut", { host: this.options.ways.host }));
      } catch (error) {
        if (at - begun >= worthwhile) attempts.succeeded();
        await attempts.again(error);
      }
    }
  }

  /** All tags, as the registry lists them. */
  async tags(signal?: AbortSignal): Promise<readonly string[]> {
    const tags: string[] = [];
    let path: string | URL | undefined = `${this.base}/tags/list`;
    for (let page = 0; path !== undefined && page < maxTagPages; page++) {
      const asked: string | URL = path;
      path = await this.#try(signal, async (endpoint): Promise<URL | undefined> => {
        const request = this.request("GET", asked, signal);
        const answer = await this.send(endpoint, request);
        if (answer.status !== 200)
          throw await this.#missing(endpoint, request, answer, `repository ${this.options.path}`);
        tags.push(...(parseJson(tagsShape, await readAll(answer, "the list of tags", maxManifestBytes)).tags ?? []));
        const next = /<([^>]+)>\s*;\s*rel="?next"?/.exec(answer.headers.get("link") ?? "")?.[1];
        if (next === undefined || !URL.canParse(next, endpoint.url)) return undefined;
        const url = new URL(next, endpoint.url);
        return url.origin === endpoint.url.origin ? url : undefined;
      });
    }
    return tags;
  }

  get base(): string {
    return `/v2/${this.options.path}`;
  }

  /** A request that any of the repository's actions may need. */
  request(
    method: string,
    path: string | URL,
    signal: AbortSignal | undefined,
    more: Partial<RegistryRequest> = {},
  ): RegistryRequest {
    return { method, path, scopes: [`repository:${this.options.path}:${this.options.actions}`], signal, ...more };
  }

  send(endpoint: Endpoint, request: RegistryRequest): Promise<WireAnswer> {
    return this.options.exchange.send(endpoint, request);
  }

  #try<T>(signal: AbortSignal | undefined, work: (endpoint: Endpoint) => Promise<T>): Promise<T> {
    const { settings, ways } = this.options;
    return retrying(settings, signal, () => ways.first(signal, work));
  }

  /** One answer to one question for a blob. */
  async *#part(blob: BlobName, from: number, signal: AbortSignal | undefined): AsyncGenerator<Uint8Array> {
    const { ways } = this.options;
    const answer = await ways.first(signal, (endpoint) => this.#openPart(endpoint, blob, from, signal));
    // Who does not know ranges sends all of it.
    let skip = answer.status === 206 ? 0 : from;
    let left = blob.size - from;
    for await (const bytes of answer.body) {
      const rest = skip > 0 ? bytes.subarray(Math.min(skip, bytes.length)) : bytes;
      skip -= bytes.length - rest.length;
      left -= rest.length;
      if (left < 0) throw registryError("blobTooLong", { host: ways.host, what: blob.digest, size: blob.size });
      if (rest.length > 0) yield rest;
    }
  }

  async #openPart(
    endpoint: Endpoint,
    blob: BlobName,
    from: number,
    signal: AbortSignal | undefined,
  ): Promise<WireAnswer> {
    const headers: Record<string, string> = from > 0 ? { Range: `bytes=${from}-${blob.size - 1}` } : {};
    const request = this.request("GET", `${this.base}/blobs/${blob.digest}`, signal, { headers });
    let answer = await this.send(endpoint, request);
    if (answer.status === 404 && !endpoint.isMirror) answer = await this.#elsewhere(endpoint, blob, request, answer);
    if (answer.status === 206) {
      const start = /^bytes (\d+)-/.exec(answer.headers.get("content-range") ?? "")?.[1];
      if (Number(start ?? -1) === from) return plain(answer, endpoint, blob.digest);
      await answer.discard();
      throw new Passing(registryError("rangeLied", { host: endpoint.host, what: blob.digest, from }));
    }
    if (answer.status === 416) {
      // Another server behind the same name may have all of it.
      await answer.discard();
      throw new Passing(registryError("blobTooShort", { host: endpoint.host, what: blob.digest, size: blob.size }));
    }
    if (answer.status !== 200) throw await this.#missing(endpoint, request, answer, `blob ${blob.digest}`);
    return plain(answer, endpoint, blob.digest);
  }

  /** A foreign layer, from the first of its addresses that has it: without saying who we are, nor to this machine. */
  async #elsewhere(
    endpoint: Endpoint,
    { urls }: BlobName,
    request: RegistryRequest,
    missing: WireAnswer,
  ): Promise<WireAnswer> {
    for (const text of urls ?? []) {
      if (!URL.canParse(text)) continue;
      const url = new URL(text);
      const isSafe = url.protocol === "https:" || (url.protocol === "http:" && endpoint.url.protocol === "http:");
      if (!isSafe) continue;
      const stranger: Endpoint = {
        ...endpoint,
        url: new URL(url.origin),
        host: url.host,
        isMirror: true,
        isUnverified: false,
        mayBeOwn: isLoopback(endpoint.url.hostname),
      };
      const answer =
        url.origin === endpoint.url.origin ? missing : await this.send(stranger, { ...request, path: url, scopes: [] });
      if (answer.status === 200 || answer.status === 206) return answer;
      if (answer !== missing) await answer.discard();
    }
    return missing;
  }

  #manifestRequest(method: string, reference: string, signal: AbortSignal | undefined): RegistryRequest {
    return this.request(method, `${this.base}/manifests/${reference}`, signal, { headers: { Accept: manifestTypes } });
  }

  #named(reference: string): string {
    return `${this.options.path}${reference.startsWith("sha256:") ? "@" : ":"}${reference}`;
  }

  /** What is not there, or not for us: registries say the same of both. */
  async #missing(endpoint: Endpoint, request: RegistryRequest, answer: WireAnswer, what: string): Promise<Error> {
    if (![401, 403, 404].includes(answer.status)) return await refusal(endpoint, request, answer);
    const reason = reasonOf(await readAll(answer, "a refusal", 64 * 1024).catch(() => new Uint8Array()));
    if (answer.status === 404) return registryError("notFound", { what, reason });
    const action = this.options.actions === "pull" ? "pull" : "push";
    return registryError("accessDenied", { action, repository: this.options.path, reason });
  }
}

/** The answer, unless its bytes are not those of what was asked for. */
const plain = (answer: WireAnswer, { host }: Endpoint, what: string): WireAnswer => {
  const encoding = answer.headers.get("content-encoding") ?? "identity";
  if (encoding !== "identity") throw registryError("contentEncoded", { host, what, encoding: encoding.slice(0, 50) });
  return answer;
};
