/** `pier stats` */
import type { EventMessage } from "../../api/answers/system.ts";
import type { Client } from "../../api/client.ts";
import { jsonLines } from "../../api/client.ts";
import { command } from "../command.ts";
import { flag } from "../flags.ts";
import { printList } from "../output/list.ts";
import { columns, emptySample, headings, rowOf, type Sample, sampleOf } from "../output/stats.ts";
import { print } from "../streams/output.ts";
import { formatHelp } from "../values/format.ts";
import { boolean, text } from "../values/kinds.ts";

/** How often the table is drawn (milliseconds). */
const period = 500;
/** The cursor goes to the top, and what is below it goes. */
const cleared = "\x1b[H\x1b[J";

export const stats = command({
  usage: "[OPTIONS] [CONTAINER...]",
  flags: {
    all: flag(boolean(), "Show all containers (default shows just running)", { short: "a" }),
    format: flag(text(), formatHelp("table")),
    "no-stream": flag(boolean(), "Disable streaming stats and only pull the first result"),
    "no-trunc": flag(boolean(), "Do not truncate output"),
  },
  least: 0,
  most: Number.POSITIVE_INFINITY,
  run: async ({ values: flags, positional, client }) => {
    const draw = (samples: Iterable<Sample>) =>
      printList(
        { type: "*formatter.statsContext", headings, columns },
        [...samples].map((sample) => rowOf(sample, flags["no-trunc"])),
        flags.format,
        false,
      );
    const names = positional.length > 0 ? positional : await listed(client, flags.all);
    if (flags["no-stream"]) {
      await draw(await Promise.all(names.map((name) => once(client, name))));
      return 0;
    }
    return await follow(client, names, positional.length === 0 ? { all: flags.all } : undefined, draw);
  },
});

const listed = async (client: Client, all: boolean): Promise<readonly string[]> =>
  (await client.get("containerList", {}, { query: { all } })).map(({ Id }) => Id);

const once = async (client: Client, name: string): Promise<Sample> => {
  const { body } = await client.send("containerStats", { id: name }, { query: { stream: "0" } });
  for await (const answer of jsonLines<Parameters<typeof sampleOf>[0]>(body)) return sampleOf(answer);
  return emptySample(name);
};

/** Whoever starts meanwhile is shown too, unless names were given. */
const follow = async (
  client: Client,
  names: readonly string[],
  others: { readonly all: boolean } | undefined,
  draw: (samples: Iterable<Sample>) => Promise<void>,
): Promise<number> => {
  const samples = new Map<string, Sample>();
  const failure = Promise.withResolvers<never>();
  const watch = async (name: string): Promise<void> => {
    if (samples.has(name)) return;
    samples.set(name, emptySample(name));
    const { body } = await client.send("containerStats", { id: name }, { query: { stream: true } });
    try {
      for await (const answer of jsonLines<Parameters<typeof sampleOf>[0]>(body)) {
        if (!samples.has(name)) return;
        samples.set(name, sampleOf(answer));
      }
    } finally {
      samples.delete(name);
    }
  };
  const begin = (name: string): void => void watch(name).catch(failure.reject);
  names.forEach(begin);
  if (others !== undefined) void followOthers(client, others.all, begin, samples).catch(failure.reject);
  for (;;) {
    print(cleared);
    await draw(samples.values());
    // With names, the end of the last of them is the end.
    if (others === undefined && samples.size === 0) return 0;
    const { promise: over, resolve } = Promise.withResolvers<void>();
    setTimeout(resolve, period);
    await Promise.race([over, failure.promise]);
  }
};

const followOthers = async (
  client: Client,
  all: boolean,
  begin: (id: string) => void,
  samples: Map<string, Sample>,
): Promise<void> => {
  const filters = JSON.stringify({ type: ["container"] });
  const { body } = await client.send("events", {}, { query: { filters } });
  for await (const { Action, Actor } of jsonLines<EventMessage>(body)) {
    if (Action === "start" || (all && Action === "create")) begin(Actor.ID);
    if (Action === "die" && !all) samples.delete(Actor.ID);
  }
};
