/** The life of containers. */
import { oneOf } from "../../api/shape.ts";
import { containerInspectFor, isAtLeast } from "../../api/versions.ts";
import { PierError } from "../../base/errors.ts";
import { parseCreateRequest } from "../../container/request-parse.ts";
import { parseUpdateRequest } from "../../container/update.ts";
import { explainPlan, explainPlanJson } from "../../kernel/explain.ts";
import { containerAnswer } from "../answers/container.ts";
import { whyAnswer } from "../answers/why.ts";
import { readJson } from "../body.ts";
import type { Call, Handler } from "../call.ts";
import { daemonError } from "../errors.ts";
import type { StopOptions } from "../services.ts";
import { empty, encodeJson, json, jsonType, multiplexedStreamType, rawStreamType, stream, text } from "../wire.ts";

const idOf = ({ values }: Call): string => values.id ?? "";

export const create: Handler = async ({ services, request, query, version }) => {
  const asked = parseCreateRequest(await readJson(request), version, services.logDefaults);
  checkPlatform(query.text("platform"), services.images.get(asked.image));
  const { id, warnings } = await services.containers.create(asked, query.text("name") || undefined).catch(notTheImage);
  return json({ Id: id, Warnings: warnings }, 201);
};

/** To docker's command, "not found" in answer to a create means the image: it would pull it before it says what is wrong. */
const notTheImage = (error: unknown): never => {
  if (!(error instanceof PierError) || error.status !== 404) throw error;
  throw new PierError(error.code, 400, error.message, error.hint, error);
};

/** `os[/architecture[/variant]]`, as Docker compares it. */
const checkPlatform = (asked: string, image: { readonly os: string; readonly architecture: string }): void => {
  if (asked === "") return;
  const [os, architecture = image.architecture] = asked.split("/");
  if (os === image.os && architecture === image.architecture) return;
  throw daemonError("noPlatform", { asked, has: `${image.os}/${image.architecture}` });
};

/** The plan of a container that is never made: `pier run --explain`. */
export const explain: Handler = async ({ services, request, query }) => {
  const asked = parseCreateRequest(await readJson(request), undefined, services.logDefaults);
  const plan = await services.containers.explain(asked);
  return query.text("format") === "json" ? text(explainPlanJson(plan), jsonType) : text(explainPlan(plan));
};

export const inspect: Handler = async (call) => {
  const { services, query } = call;
  const record = services.containers.get(idOf(call));
  const [size] = query.flag("size") ? await services.containers.sizes([record]) : [];
  const sizes = size === undefined ? {} : { SizeRw: size.written, SizeRootFs: size.whole };
  return json({ ...containerInspectFor(call.version, containerAnswer(record, services)), ...sizes });
};

export const why: Handler = (call) => json(whyAnswer(call.services.containers.get(idOf(call)), Date.now()));

export const start: Handler = async (call) =>
  empty((await call.services.containers.start(idOf(call))) === "already" ? 304 : 204);

export const stop: Handler = async (call) =>
  empty((await call.services.containers.stop(idOf(call), stopOptions(call))) === "already" ? 304 : 204);

export const restart: Handler = async (call) => {
  await call.services.containers.restart(idOf(call), stopOptions(call));
  return empty();
};

const stopOptions = ({ query }: Call): StopOptions => {
  const timeout = query.integer("t");
  const signal = query.text("signal");
  return { ...(signal === "" ? {} : { signal }), ...(timeout === undefined ? {} : { timeout }) };
};

export const kill: Handler = async (call) => {
  await call.services.containers.kill(idOf(call), call.query.text("signal"));
  return empty();
};

export const pause: Handler = async (call) => {
  await call.services.containers.pause(idOf(call));
  return empty();
};

export const unpause: Handler = async (call) => {
  await call.services.containers.unpause(idOf(call));
  return empty();
};

export const update: Handler = async (call) => {
  const asked = parseUpdateRequest(await readJson(call.request), call.version);
  return json({ Warnings: await call.services.containers.update(idOf(call), asked) });
};

const condition = oneOf("not-running", "next-exit", "removed");

/** Clients start the container once they have the head of this answer: it must not wait for the body. */
export const wait: Handler = (call) => {
  const { containers } = call.services;
  const asked = condition(call.query.text("condition") || undefined, "condition") || "not-running";
  containers.get(idOf(call));
  const result = containers.wait(idOf(call), asked, call.signal);
  // It may fail before anybody reads it.
  result.catch(() => {});
  return stream(jsonType, waitLine(result));
};

async function* waitLine(result: Promise<{ exitCode: number; error?: string }>) {
  const { exitCode, error } = await result;
  yield encodeJson({ StatusCode: exitCode, ...(error === undefined ? {} : { Error: { Message: error } }) });
}

export const remove: Handler = async (call) => {
  // As in Docker, whatever else is asked for.
  if (call.query.flag("link")) {
    await call.services.containers.unlink(idOf(call));
    return empty();
  }
  await call.services.containers.remove(idOf(call), { force: call.query.flag("force"), volumes: call.query.flag("v") });
  return empty();
};

export const rename: Handler = async (call) => {
  const name = call.query.text("name");
  if (name === "") throw daemonError("emptyName", {});
  await call.services.containers.rename(idOf(call), name);
  return empty();
};

/** Rows and columns as a terminal has them: 16 bits. */
export const terminalSize = ({ query }: Call): { readonly rows: number; readonly columns: number } => {
  const size = (name: string): number => {
    const value = query.integer(name);
    if (value === undefined || value < 0 || value > 65_535) {
      throw daemonError("invalidNumber", { name, value: query.text(name) });
    }
    return value;
  };
  return { rows: size("h"), columns: size("w") };
};

export const resize: Handler = async (call) => {
  const { rows, columns } = terminalSize(call);
  await call.services.containers.resize(idOf(call), rows, columns);
  return empty(200);
};

export const top: Handler = async (call) =>
  json(await call.services.containers.processes(idOf(call), call.query.text("ps_args") || "-ef"));

export const logs: Handler = async (call) => {
  const { query, services, version } = call;
  const record = services.containers.get(idOf(call));
  const [stdout, stderr] = [query.flag("stdout"), query.flag("stderr")];
  if (!stdout && !stderr) throw daemonError("noStream", {});
  const options = {
    stdout,
    stderr,
    follow: query.flag("follow"),
    timestamps: query.flag("timestamps"),
    details: query.flag("details"),
    tail: parseTail(query.text("tail")),
    since: query.time("since"),
    // Clients say 0 where nobody has asked for an end.
    until: query.time("until") || undefined,
  };
  const chunks = await services.containers.logs(record.id, options, call.signal);
  return stream(streamType(record.request.tty, version), chunks);
};

/** What is no number means all of them, as in Docker. */
const parseTail = (value: string): number | undefined => (/^\d{1,15}$/.test(value) ? Number(value) : undefined);

/** Clients before 1.42 are told that every stream is raw. */
export const streamType = (tty: boolean, version: string): string =>
  tty || !isAtLeast(version, "1.42") ? rawStreamType : multiplexedStreamType;
