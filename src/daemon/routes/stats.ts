/** `GET /containers/{id}/stats`: once, or every second for as long as somebody listens. */
import { setTimeout } from "node:timers/promises";
import type { ContainerUsage } from "../../container/usage.ts";
import { statsAnswer } from "../answers/stats.ts";
import type { Call, Handler } from "../call.ts";
import { daemonError } from "../errors.ts";
import type { Services } from "../services.ts";
import { encodeJson, jsonType, stream } from "../wire.ts";

const period = 1000;

export const stats: Handler = (call) => {
  const record = call.services.containers.get(call.values.id ?? "");
  const follows = call.query.flag("stream", true);
  const isOneShot = call.query.flag("one-shot");
  if (follows && isOneShot) throw daemonError("oneShotStream", {});
  const lines = follows ? followed(call, record.id) : once(call.services, record.id, isOneShot, call.signal);
  return stream(jsonType, lines);
};

/** Without `one-shot` clients get two moments, so that they see how fast. */
async function* once({ containers, host }: Services, id: string, isOneShot: boolean, signal: AbortSignal) {
  let before: ContainerUsage | undefined;
  if (!isOneShot) {
    before = await containers.usage(id);
    if (before !== undefined) await setTimeout(period, undefined, { signal });
  }
  const now = await containers.usage(id);
  yield encodeJson(statsAnswer(containers.get(id), { now, before }, host.memory));
}

/** One that does not run has nothing but its name; one that is removed ends it. */
async function* followed({ services, signal }: Call, id: string) {
  const { containers, host } = services;
  for (let before: ContainerUsage | undefined; ; ) {
    const now = await containers.usage(id).catch(() => "gone" as const);
    if (now === "gone" || signal.aborted) return;
    yield encodeJson(statsAnswer(containers.get(id), { now, before }, host.memory));
    before = now;
    await setTimeout(period, undefined, { signal }).catch(() => {});
  }
}
