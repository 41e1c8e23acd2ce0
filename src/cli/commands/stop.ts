/** `pier stop`, `pier restart`, `pier kill`. */
import { command } from "../command.ts";
import { forEach } from "../each.ts";
import { flag } from "../flags.ts";
import { integer, text } from "../values/kinds.ts";

const flags = {
  signal: flag(text(), "Signal to send to the container", { short: "s" }),
  timeout: flag(integer(), "Seconds to wait before killing the container", { short: "t", aliases: ["time"] }),
} as const;

const stopping = (route: "containerStop" | "containerRestart") =>
  command({
    usage: "[OPTIONS] CONTAINER [CONTAINER...]",
    flags,
    least: 1,
    most: Number.POSITIVE_INFINITY,
    run: async ({ values: { signal, timeout }, given, positional, client }) => {
      const query = { signal, t: given.has("timeout") ? timeout : undefined };
      await forEach(positional, async (id) => void (await client.text(route, { id }, { query })));
    },
  });

export const stop = stopping("containerStop");
export const restart = stopping("containerRestart");

export const kill = command({
  usage: "[OPTIONS] CONTAINER [CONTAINER...]",
  flags: { signal: flags.signal },
  least: 1,
  most: Number.POSITIVE_INFINITY,
  run: async ({ values: { signal }, positional, client }) =>
    forEach(positional, async (id) => void (await client.text("containerKill", { id }, { query: { signal } }))),
});
