/** Who is measured, and when. */
import type { Client, Engine } from "./engines.ts";
import { idle } from "./idle.ts";

/** One client for each engine: where the engine is measured, not the client. */
export const primary = ({ engines }: { readonly engines: readonly Engine[] }): Client[] =>
  engines.flatMap(({ clients }) => clients.slice(0, 1));

/**
 * Samples taken in turns, so that what slows the machine down for a while slows all of them down; and each when the
 * machine rests, for engines go on with their work when their command has ended.
 */
export const inTurns = async (
  clients: readonly Client[],
  rounds: number,
  sample: (client: Client) => number | Promise<number>,
  isCold = false,
): Promise<ReadonlyMap<Client, readonly number[]>> => {
  const samples = new Map<Client, number[]>(clients.map((client) => [client, []]));
  // The first time is for the page cache, and does not count.
  if (!isCold) for (const client of clients) await sample(client);
  for (let round = 0; round < rounds; round++)
    for (const [client, taken] of samples) {
      await idle();
      taken.push(await sample(client));
    }
  return samples;
};
