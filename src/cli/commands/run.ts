/** `pier run` */

import type { Client } from "../../api/client.ts";
import type { ContainerCreateBody } from "../../api/types.ts";
import { type Call, command } from "../command.ts";
import { createContainer, explainContainer } from "../create/create.ts";
import { createError } from "../create/errors.ts";
import { containerFlags } from "../create/flags.ts";
import { type CreateRequest, planRequest } from "../create/request.ts";
import { cliError } from "../errors.ts";
import { messageOf } from "../failure.ts";
import { flag, type Kind } from "../flags.ts";
import { type AttachOptions, openAttachment, openWait, runAttached } from "../foreground.ts";
import { parseDetachKeys } from "../streams/detach-keys.ts";
import { print } from "../streams/output.ts";
import { SignalProxy } from "../streams/signals.ts";
import { checkTerminal } from "../streams/terminal.ts";
import { boolean, text } from "../values/kinds.ts";
import { readWords, startFailure } from "./create.ts";

/** Given alone it means text for people. */
const explanation: Kind<string> = {
  placeholder: "",
  initial: "",
  alone: "text",
  read: (given) => {
    if (given !== "text" && given !== "json") throw cliError("explainFormat", {});
    return given;
  },
};

const flags = {
  ...containerFlags,
  detach: flag(boolean(), "Run container in background and print container ID", { short: "d" }),
  "detach-keys": flag(text(), "Override the key sequence for detaching a container"),
  explain: flag(explanation, "Print how the container would be made (=text or =json), and make none"),
  "sig-proxy": flag(boolean(true), "Proxy received signals to the process"),
} as const;

type RunCall = Call<typeof flags>;

export const run = command({
  usage: "[OPTIONS] IMAGE [COMMAND] [ARG...]",
  flags,
  least: 1,
  most: Number.POSITIVE_INFINITY,
  stopAtFirst: true,
  run: async (call) => {
    const body = streamsOf(call, readWords(call, "run"));
    const request = planned(call, body);
    const { explain } = call.values;
    if (explain === "") return await runContainer(call, request);
    try {
      await explainContainer(call.client, request, explain);
    } catch (error) {
      throw startFailure(error, "run");
    }
    return 0;
  },
});

const planned = (call: RunCall, body: ContainerCreateBody): CreateRequest => {
  try {
    return planRequest(call, body);
  } catch (error) {
    throw startFailure(error, "run");
  }
};

/** In the background nothing is attached, and the input stays open for whoever attaches later. */
const streamsOf = ({ values: flags }: RunCall, body: ContainerCreateBody): ContainerCreateBody => {
  if (!flags.detach) {
    if (flags.tty && body.AttachStdin) checkTerminal(true, true);
    return body;
  }
  if (flags.attach.length > 0) throw createError("attachAndDetach", {});
  return { ...body, AttachStdin: false, AttachStdout: false, AttachStderr: false, StdinOnce: false };
};

const runContainer = async (call: RunCall, request: CreateRequest): Promise<number> => {
  const { values: flags, client } = call;
  const { AttachStdin = false, AttachStdout = false, AttachStderr = false, Tty = false } = request.body;
  const options: AttachOptions = {
    stdin: AttachStdin,
    stdout: AttachStdout,
    stderr: AttachStderr,
    tty: Tty,
    detachKeys: parseDetachKeys(flags["detach-keys"]),
    detachKeysText: flags["detach-keys"],
  };
  const id = await createFor(call, request);
  if (!AttachStdin && !AttachStdout && !AttachStderr) {
    await startContainer(client, id);
    print(`${id}\n`);
    return 0;
  }
  // In a terminal the keys themselves reach the container.
  using signals = flags["sig-proxy"] && !Tty ? new SignalProxy() : undefined;
  const [stream, wait] = await Promise.all([
    openAttachment(client, id, options),
    openWait(client, id, flags.rm ? "removed" : "next-exit"),
  ]);
  if (!AttachStdout && !AttachStderr) print(`${id}\n`);
  const started = startContainer(client, id);
  const session = runAttached(client, id, stream, options, started);
  session.catch(() => undefined);
  try {
    await started;
  } catch (error) {
    stream.socket.destroy();
    // A container that removes itself goes also when it never came up; only then is its name free.
    if (flags.rm) await wait.exitCode.catch(() => undefined);
    throw error;
  }
  signals?.connect(client, id);
  return (await session) === "detached" ? 0 : await wait.exitCode;
};

const createFor = async ({ values: flags, client }: RunCall, request: CreateRequest): Promise<string> => {
  const { pull, quiet, cidfile: idFile } = flags;
  // The stream, the wait and the start need a connection each; two come up while the daemon makes the container.
  const meanwhile = () => void (flags.detach || client.prepare(2));
  try {
    return await createContainer(client, request, { pull, quiet, idFile, meanwhile });
  } catch (error) {
    throw startFailure(error, "run");
  }
};

const startContainer = async (client: Client, id: string): Promise<void> => {
  try {
    await client.text("containerStart", { id });
  } catch (error) {
    throw startFailure(error, "run", startExitCode(messageOf(error)));
  }
};

/** Docker reads from the daemon's words whether the command was not found, or could not be executed. */
const startExitCode = (message: string): number => {
  const text = message.toLowerCase();
  if (
    ["executable file not found", "no such file or directory", "system cannot find the file specified"].some((part) =>
      text.includes(part),
    )
  )
    return 127;
  return ["permission denied", "is a directory"].some((part) => text.includes(part)) ? 126 : 125;
};
