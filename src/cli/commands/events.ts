/** `pier events` */
import type { EventMessage } from "../../api/answers/system.ts";
import { command } from "../command.ts";
import { flag } from "../flags.ts";
import { linesOf } from "../streams/lines.ts";
import { print } from "../streams/output.ts";
import { encodeFilters, filters } from "../values/filters.ts";
import { formatHelp } from "../values/format.ts";
import { text } from "../values/kinds.ts";
import { parseMoment } from "../values/moment.ts";

export const events = command({
  usage: "[OPTIONS]",
  flags: {
    filter: flag(filters, "Filter output based on conditions provided", { short: "f" }),
    format: flag(text(), formatHelp("plain")),
    since: flag(text(), "Show all events created since timestamp"),
    until: flag(text(), "Stream events until this timestamp"),
  },
  least: 0,
  most: 0,
  run: async ({ values: flags, client }) => {
    const lineOf = await printerFor(flags.format);
    const query = {
      since: parseMoment(flags.since),
      until: parseMoment(flags.until),
      filters: encodeFilters(flags.filter),
    };
    const { body } = await client.send("events", {}, { query });
    for await (const line of linesOf(body)) print(`${lineOf(line)}\n`);
  },
});

const printerFor = async (format: string): Promise<(line: string) => string> => {
  if (format === "") return (line) => describe(line);
  const { readEventFormat } = await import("../output/format.ts");
  return readEventFormat(format === "json" ? "{{json .}}" : format);
};

/** `2026-11-24T01:39:16.000000000Z container start 0123… (image=busybox, name=web)` */
const describe = (line: string): string => {
  const { time, Type, Action, Actor } = JSON.parse(line) as EventMessage;
  const attributes = Object.entries(Actor.Attributes ?? {})
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, value]) => `${key}=${value}`);
  const shown = attributes.length === 0 ? "" : ` (${attributes.join(", ")})`;
  return `${stampOf(time, line)} ${Type} ${Action} ${Actor.ID}${shown}`;
};

/** The local time. The nanoseconds are read from the text: they have more digits than a double holds. */
const stampOf = (seconds: number, line: string): string => {
  const nanoseconds = /"timeNano":\d+?(\d{9})\b/.exec(line)?.[1] ?? "000000000";
  const moment = new Date(seconds * 1000);
  const offset = -moment.getTimezoneOffset();
  const local = new Date(moment.getTime() + offset * 60_000).toISOString().slice(0, 19);
  const two = (value: number) => String(Math.trunc(value)).padStart(2, "0");
  const zone = `${offset < 0 ? "-" : "+"}${two(Math.abs(offset) / 60)}:${two(Math.abs(offset) % 60)}`;
  return `${local}.${nanoseconds}${offset === 0 ? "Z" : zone}`;
};
