/** What the daemon says of itself. */
import type { EventMessage } from "../../api/answers/system.ts";
import { infoAnswer, versionAnswer } from "../answers/system.ts";
import type { Call, Handler } from "../call.ts";
import type { PierEvent } from "../events.ts";
import { Filters } from "../filters.ts";
import { json, jsonType, stream, text } from "../wire.ts";

/** What tells clients which API they talk to; nothing may keep it from being asked again. */
export const ping: Handler = () => text("OK");

export const version: Handler = ({ services }) => json(versionAnswer(services.host));

export const info: Handler = ({ services }) => json(infoAnswer(services));

export const events: Handler = (call) => {
  const filters = Filters.parse(call.query.text("filters"), eventFilters);
  const span = { since: call.query.time("since"), until: call.query.time("until") };
  return stream(jsonType, eventLines(call, span, filters));
};

const eventFilters =
  "config container daemon event image label network node plugin scope secret service type volume".split(" ");

async function* eventLines(
  call: Call,
  span: { since: bigint | undefined; until: bigint | undefined },
  filters: Filters,
) {
  for await (const event of call.services.events.read(span, call.signal)) {
    if (passes(event, filters)) yield encodeEvent(event);
  }
}

/** As dockerd filters (moby, daemon/events/filter.go): names and ids by their beginnings. */
export const passes = ({ type, action, id, attributes }: PierEvent, filters: Filters): boolean => {
  const names = [id, attributes.name ?? ""];
  const begins = (kind: string): boolean =>
    filters.some(kind, (value) => type === kind && names.some((name) => name.startsWith(value)));
  const isImage = (value: string): boolean =>
    (type === "image" ? names : type === "container" ? [attributes.image ?? ""] : []).some(
      (name) => name === value || name.replace(/:[^:/]*$/, "") === value,
    );
  return (
    filters.some("type", (value) => type === value) &&
    // `exec_create: sh -c true` is an `exec_create` too.
    filters.some("event", (value) => action === value || action.startsWith(`${value}:`)) &&
    filters.some("scope", (value) => value === "local") &&
    begins("container") &&
    begins("volume") &&
    begins("network") &&
    begins("daemon") &&
    filters.some("image", isImage) &&
    filters.labels(attributes) &&
    !["config", "node", "plugin", "secret", "service"].some((kind) => filters.has(kind))
  );
};

/** One line of the stream. Nanoseconds have more digits than a JavaScript number: they are written as they are. */
export const encodeEvent = ({ time, type, action, id, attributes }: PierEvent): string => {
  const old = type === "container" || type === "image" ? { status: action, id } : {};
  const message: Omit<EventMessage, "timeNano"> = {
    ...old,
    ...(type === "container" ? { from: attributes.image ?? "" } : {}),
    Type: type,
    Action: action,
    Actor: { ID: id, Attributes: attributes },
    scope: "local",
    time: Number(time / 1_000_000_000n),
  };
  return `${JSON.stringify(message).slice(0, -1)},"timeNano":${time}}\n`;
};
