/** A container in the foreground: its output is ours, and its exit code becomes ours. Used by `run`, `start` and `attach`. */
import type { ContainerWaitAnswer } from "../api/answers/containers.ts";
import { type Client, type Hijacked, textOf } from "../api/client.ts";
import { Failure, messageOf } from "./failure.ts";
import { runSession } from "./streams/session.ts";
import { openRawTerminal } from "./streams/terminal.ts";
import { WindowWatch } from "./streams/window.ts";

export interface AttachOptions {
  readonly stdin: boolean;
  readonly stdout: boolean;
  readonly stderr: boolean;
  readonly tty: boolean;
  /** Keys that leave the container alone, for us and in the words of the flag for the daemon. */
  readonly detachKeys: Uint8Array;
  readonly detachKeysText: string;
}

/** What Docker exits with when it cannot learn how the container ended. */
const UNKNOWN_END = 125;

/** The stream of a container that runs or is about to: nothing that it writes from now on is missed. */
export const openAttachment = (client: Client, id: string, options: AttachOptions): Promise<Hijacked> => {
  const { stdin, stdout, stderr, detachKeysText: detachKeys } = options;
  return client.hijack("containerAttach", { id }, { query: { stream: true, stdin, stdout, stderr, detachKeys } });
};

export type WaitCondition = "" | "next-exit" | "removed";

/** Resolves, when the daemon has begun to wait, to a promise of the exit code. */
export const openWait = async (
  client: Client,
  id: string,
  condition: WaitCondition,
): Promise<{ readonly exitCode: Promise<number> }> => {
  const { body } = await client.send("containerWait", { id }, { query: { condition } });
  const exitCode = readExitCode(body);
  // Whoever asks for it hears of a failure; that nobody does is no fault.
  exitCode.catch(() => undefined);
  return { exitCode };
};

const readExitCode = async (body: AsyncIterable<Buffer>): Promise<number> => {
  let answer: ContainerWaitAnswer;
  try {
    answer = JSON.parse(await textOf(body)) as ContainerWaitAnswer;
  } catch (cause) {
    throw new Failure(`error waiting for container: ${messageOf(cause)}`, UNKNOWN_END, cause);
  }
  if (answer.Error?.Message) throw new Failure(`error waiting for container: ${answer.Error.Message}`, UNKNOWN_END);
  return answer.StatusCode;
};

/** Resolves when the stream has ended or was left; meanwhile the terminal, where there is one, belongs to the container. */
export const runAttached = async (
  client: Client,
  id: string,
  stream: Hijacked,
  { stdin, stdout, stderr, tty, detachKeys }: AttachOptions,
  started: Promise<unknown>,
): Promise<"ended" | "detached"> => {
  using _terminal = tty && stdin ? await openRawTerminal() : undefined;
  using window = tty ? new WindowWatch(client, "containerResize", id) : undefined;
  // Before its start a container has no terminal that could be resized.
  void started.then(() => window?.resize()).catch(() => undefined);
  return await runSession(stream, { tty, input: stdin, output: stdout || stderr, detachKeys });
};
