/** One request to a registry: authorized, redirected, and its refusal told in words. */
import { isLoopback } from "./addresses.ts";
import type { Authorizer } from "./auth.ts";
import type { Target } from "./connection.ts";
import { registryError } from "./errors.ts";
import { type Endpoint, isInsecure } from "./hosts.ts";
import { reasonOf } from "./reasons.ts";
import { Passing, parseRetryAfter } from "./retry.ts";
import type { RegistrySettings } from "./settings.ts";
import { readAll, type Transport, type WireAnswer, type WireRequest } from "./transport.ts";

export interface RegistryRequest extends WireRequest {
  /** What follows the endpoint: `/v2/library/busybox/manifests/latest`; or a whole address that the registry gave. */
  readonly path: string | URL;
  /** Whom one must be: `repository:library/busybox:pull`. */
  readonly scopes: readonly string[];
}

const maxRedirects = 10;
const maxReason = 64 * 1024;
/** A token that has expired is fetched again, one that does not help is not. */
const maxChallenges = 2;

export class Exchange {
  readonly #transport: Transport;
  readonly #settings: RegistrySettings;
  readonly #authorizer: Authorizer;

  constructor(transport: Transport, settings: RegistrySettings, authorizer: Authorizer) {
    this.#transport = transport;
    this.#settings = settings;
    this.#authorizer = authorizer;
  }

  /** The registry's answer, whatever its status but 401 and redirects. Throws `Passing` for what may go better. */
  async send(endpoint: Endpoint, request: RegistryRequest): Promise<WireAnswer> {
    const { scopes, signal } = request;
    let authorization = this.#authorizer.header(endpoint, scopes);
    for (let challenges = 0; ; challenges++) {
      const { answer, isOwn } = await this.#follow(endpoint, request, authorization);
      if (answer.status === 429 || answer.status >= 500)
        throw new Passing(await refusal(endpoint, request, answer), waitOf(answer));
      // Only the registry itself may ask who we are.
      if (answer.status !== 401 || !isOwn || challenges >= maxChallenges) return answer;
      const found = await this.#authorizer.answer(endpoint, scopes, answer, signal);
      if (found === undefined || found === authorization) return answer;
      await answer.discard();
      authorization = found;
    }
  }

  async #follow(
    endpoint: Endpoint,
    request: RegistryRequest,
    authorization: string | undefined,
  ): Promise<{ readonly answer: WireAnswer; readonly isOwn: boolean }> {
    let target = this.#target(endpoint, addressOf(endpoint, request.path));
    for (let redirects = 0; redirects <= maxRedirects; redirects++) {
      const isOwn = target.url.origin === endpoint.url.origin;
      // Beyond its host nobody learns who we are (CVE-2020-15157 and its kin).
      const own = isOwn && authorization !== undefined ? { Authorization: authorization } : {};
      const answer = await this.#transport.send(target, { ...request, headers: { ...request.headers, ...own } });
      const location = answer.headers.get("location");
      if (![301, 302, 303, 307, 308].includes(answer.status) || location === undefined) return { answer, isOwn };
      await answer.discard();
      target = this.#target(endpoint, redirected(target.url, location, endpoint));
    }
    throw registryError("tooManyRedirects", { host: endpoint.host });
  }

  #target(endpoint: Endpoint, url: URL): Target {
    const isSame = url.hostname === endpoint.url.hostname;
    const isUnverified = url.host === endpoint.url.host ? endpoint.isUnverified : isInsecure(url, this.#settings);
    return { url, isUnverified, mayBeOwn: endpoint.mayBeOwn && (isSame || isLoopback(endpoint.url.hostname)) };
  }
}

const addressOf = (endpoint: Endpoint, path: string | URL): URL =>
  typeof path === "string" ? new URL(endpoint.url.href.replace(/\/$/, "") + path) : path;

/** Where a redirect leads; throws when encryption would end there. */
export const redirected = (from: URL, location: string, { host }: Pick<Endpoint, "host">): URL => {
  const target = location.slice(0, 200);
  if (!URL.canParse(location, from)) throw registryError("redirectUnsafe", { host, target });
  const url = new URL(location, from);
  const isSafe = url.protocol === "https:" || (url.protocol === "http:" && from.protocol === "http:");
  if (!isSafe) throw registryError("redirectUnsafe", { host, target });
  url.hash = "";
  return url;
};

const waitOf = ({ headers }: WireAnswer): number | undefined => parseRetryAfter(headers.get("retry-after"), Date.now());

/** What a refusal means, in words; its body is read. */
export const refusal = async (
  { host }: Pick<Endpoint, "host">,
  { method, path }: Pick<RegistryRequest, "method" | "path">,
  answer: WireAnswer,
): Promise<Error> => {
  const body = await readAll(answer, "a refusal", maxReason).catch(() => new Uint8Array());
  const reason = reasonOf(body);
  if (answer.status === 429) return registryError("tooManyRequests", { reason });
  const what = `${method} ${typeof path === "string" ? path : path.pathname}`;
  return registryError("refused", { host, status: answer.status, what, reason });
};
