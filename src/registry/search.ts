/** Search, as registries of the first generation had it and Docker Hub still has. */
import { boolean, integer, list, nullable, object, parseJson, type ShapeOf, string } from "../api/shape.ts";
import { registryError } from "./errors.ts";
import { type Exchange, refusal } from "./exchange.ts";
import { ownEndpointsOf } from "./hosts.ts";
import { retrying } from "./retry.ts";
import type { RegistrySettings } from "./settings.ts";
import { readAll } from "./transport.ts";
import { Ways } from "./ways.ts";

const result = object({
  name: string,
  description: string,
  star_count: integer(0),
  is_official: boolean,
  is_automated: boolean,
});
export type SearchResult = ShapeOf<typeof result>;
const answerShape = object({ results: nullable(list(result)) });
const maxBytes = 4 * 1024 * 1024;

export const searchIn = async (
  domain: string,
  term: string,
  limit: number,
  {
    exchange,
    settings,
    signal,
  }: { readonly exchange: Exchange; readonly settings: RegistrySettings; readonly signal: AbortSignal | undefined },
): Promise<readonly SearchResult[]> => {
  const ways = new Ways(ownEndpointsOf(domain === "docker.io" ? "index.docker.io" : domain, settings));
  const path = `/v1/search?${new URLSearchParams({ q: term, n: String(limit) }).toString()}`;
  const request = { method: "GET", path, scopes: [], signal };
  return await retrying(settings, signal, () =>
    ways.first(signal, async (endpoint) => {
      const answer = await exchange.send(endpoint, request);
      if (answer.status === 404 || answer.status === 405) {
        await answer.discard();
        throw registryError("noV1", { host: endpoint.host, status: answer.status });
      }
      if (answer.status !== 200) throw await refusal(endpoint, request, answer);
      return parseJson(answerShape, await readAll(answer, "what was found", maxBytes)).results ?? [];
    }),
  );
};
