/** The registries of the world: one place that knows how they are reached, and how many may be asked at once. */
import { Authorizer } from "./auth.ts";
import type { Credentials } from "./credentials.ts";
import { registryError } from "./errors.ts";
import { Exchange, refusal } from "./exchange.ts";
import { endpointsOf, ownEndpointsOf } from "./hosts.ts";
import { Repository } from "./repository.ts";
import { retrying } from "./retry.ts";
import { type SearchResult, searchIn } from "./search.ts";
import { defaultSettings, type RegistrySettings } from "./settings.ts";
import { Transport } from "./transport.ts";
import { Turns } from "./turns.ts";
import { Ways } from "./ways.ts";

export interface RepositoryName {
  /** As names have it: `docker.io`. */
  readonly domain: string;
  /** `library/busybox` */
  readonly path: string;
}

export class Registries {
  readonly settings: RegistrySettings;
  /** By registry: who may download, who may upload. */
  readonly downloads: Turns;
  readonly uploads: Turns;
  readonly #transport: Transport;

  constructor(settings: Partial<RegistrySettings> = {}) {
    this.settings = { ...defaultSettings, ...settings };
    this.downloads = new Turns(this.settings.downloads);
    this.uploads = new Turns(this.settings.uploads);
    this.#transport = new Transport(this.settings);
  }

  /** A repository to read from: its registry's mirrors are asked first. */
  source(name: RepositoryName, credentials: Credentials | undefined): Repository {
    const ways = new Ways(endpointsOf(name.domain, this.settings));
    return new Repository({
      ...name,
      ways,
      actions: "pull",
      exchange: this.#exchange(credentials),
      settings: this.settings,
    });
  }

  /** A repository to write to. */
  target(name: RepositoryName, credentials: Credentials | undefined): Repository {
    const ways = new Ways(ownEndpointsOf(name.domain, this.settings));
    return new Repository({
      ...name,
      ways,
      actions: "pull,push",
      exchange: this.#exchange(credentials),
      settings: this.settings,
    });
  }

  /** Resolves when the registry takes these credentials. */
  async login(domain: string, credentials: Credentials, signal?: AbortSignal): Promise<void> {
    const ways = new Ways(ownEndpointsOf(domain, this.settings));
    const request = { method: "GET", path: "/v2/", scopes: [], signal };
    const exchange = this.#exchange(credentials);
    await retrying(this.settings, signal, () =>
      ways.first(signal, async (endpoint) => {
        const answer = await exchange.send(endpoint, request);
        if (answer.status === 200) return await answer.discard();
        const { message } = await refusal(endpoint, request, answer);
        if (answer.status !== 401)
          throw registryError("refused", {
            host: endpoint.host,
            status: answer.status,
            what: "GET /v2/",
            reason: message,
          });
        throw registryError("loginFailed", { host: endpoint.host, reason: message });
      }),
    );
  }

  /** What a registry that has a search finds. */
  search(
    domain: string,
    term: string,
    limit: number,
    credentials: Credentials | undefined,
    signal?: AbortSignal,
  ): Promise<readonly SearchResult[]> {
    return searchIn(domain, term, limit, { exchange: this.#exchange(credentials), settings: this.settings, signal });
  }

  #exchange(credentials: Credentials | undefined): Exchange {
    return new Exchange(this.#transport, this.settings, new Authorizer(this.#transport, this.settings, credentials));
  }
}
