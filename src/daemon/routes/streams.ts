/** Attaching and running further commands: the routes that take the connection over. */

import { boolean, integer, list, object, refuse, type Shape } from "../../api/shape.ts";
import { PierError } from "../../base/errors.ts";
import { checkDetachKeys } from "../../container/attach.ts";
import { parseExecRequest } from "../../container/request-parse.ts";
import { encodeFrame } from "../../format/raw-stream.ts";
import { execAnswer } from "../answers/exec.ts";
import { hasBody, readJson } from "../body.ts";
import type { Call, Handler } from "../call.ts";
import { daemonError } from "../errors.ts";
import type { Hijack, Hijacker } from "../hijack.ts";
import { empty, json } from "../wire.ts";
import { streamType, terminalSize } from "./containers.ts";

/** Over WebSocket there is one stream, and it is raw. */
export const attachWebSocket: Hijacker = (call) => {
  const record = call.services.containers.get(call.values.id ?? "");
  return { ...attach(call), webSocket: { terminal: record.request.tty } };
};

export const attach = ({ services, values, query, version }: Call): Hijack => {
  checkDetachKeys(query.text("detachKeys"), "detach");
  const record = services.containers.get(values.id ?? "");
  const request = {
    stdin: query.flag("stdin"),
    stdout: query.flag("stdout"),
    stderr: query.flag("stderr"),
    logs: query.flag("logs"),
    stream: query.flag("stream"),
    detachKeys: query.text("detachKeys") || undefined,
  };
  return {
    type: streamType(record.request.tty, version),
    input: request.stream && request.stdin && record.request.openStdin,
    run: (client) => services.containers.attach(record.id, request, client),
  };
};

export const execCreate: Handler = async ({ services, request, values, version }) => {
  const asked = parseExecRequest(await readJson(request), version);
  return json({ Id: await services.containers.createExec(values.id ?? "", asked) }, 201);
};

const consoleSize: Shape<readonly number[]> = (value, path) => {
  const size = list(integer(0, 65_535))(value, path);
  return size.length === 0 || size.length === 2 ? size : refuse(path, "a list of two numbers", value);
};

const startBody = object({ Detach: boolean, Tty: boolean, ConsoleSize: consoleSize });

export const execStart: Hijacker = async ({ services, request, values, version }) => {
  const { containers } = services;
  const body = startBody(hasBody(request) ? await readJson(request) : undefined, "");
  const exec = containers.getExec(values.id ?? "");
  if (exec.state.status !== "created") throw daemonError("execAlreadyRun", { id: exec.id });
  const [rows = 0, columns = 0] = body.ConsoleSize;
  const size = rows === 0 && columns === 0 ? {} : { rows, columns };
  const options = { detach: body.Detach, tty: body.Tty || exec.request.tty, ...size };
  if (body.Detach) {
    await containers.startExec(exec.id, options, undefined);
    return empty(200);
  }
  return {
    type: streamType(options.tty, version),
    input: exec.request.stdin,
    run: async (client) => {
      try {
        await containers.startExec(exec.id, options, client);
      } catch (error) {
        // The answer has begun: as in Docker, what could not be run says so where its output would be.
        const line = Buffer.from(`${error instanceof Error ? error.message : String(error)}\r\n`);
        if (client.writable) client.write(options.tty ? line : encodeFrame("stdout", line));
        // Said is said: the stream ends, whole, as after any other session.
        if (!(error instanceof PierError)) throw error;
      }
    },
  };
};

export const execResize: Handler = async (call) => {
  const { rows, columns } = terminalSize(call);
  await call.services.containers.resizeExec(call.values.id ?? "", rows, columns);
  return empty(200);
};

export const execInspect: Handler = ({ services, values }) =>
  json(execAnswer(services.containers.getExec(values.id ?? "")));
