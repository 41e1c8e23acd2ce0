/** A raw stream between a container and this command's own streams, from the first byte to the last. */
import type { Hijacked } from "../../api/client.ts";
import type { StreamSocket } from "../../base/socket.ts";
import { FrameDecoder } from "../../format/raw-stream.ts";
import { DetachKeys } from "./detach-keys.ts";
import { readInput } from "./input.ts";
import { Output } from "./output.ts";

export interface SessionOptions {
  /** One stream as the terminal gives it; otherwise output and errors come in frames. */
  readonly tty: boolean;
  readonly input: boolean;
  readonly output: boolean;
  /** Keys that leave; looked for only in what a terminal types. */
  readonly detachKeys: Uint8Array;
}

/** Writes each byte to where it belongs. */
export class Demultiplexer {
  readonly #decoder: FrameDecoder | undefined;
  readonly #outputs = { stdin: new Output(1), stdout: new Output(1), stderr: new Output(2) };

  constructor(tty: boolean) {
    this.#decoder = tty ? undefined : new FrameDecoder();
  }

  /** False: hold back until `calm`. */
  push(chunk: Uint8Array): boolean {
    if (this.#decoder === undefined) return this.#outputs.stdout.push(chunk);
    let free = true;
    for (const { stream, data } of this.#decoder.push(chunk)) free = this.#outputs[stream].push(data) && free;
    return free;
  }

  async calm(): Promise<void> {
    await Promise.all([this.#outputs.stdout.calm(), this.#outputs.stderr.calm(), this.#outputs.stdin.calm()]);
  }
}

/** Copies what the container writes; resolves when all of it is written out. */
const copyOutput = ({ socket, first }: Hijacked, tty: boolean): Promise<void> =>
  new Promise((resolve, reject) => {
    const outputs = new Demultiplexer(tty);
    const take = (chunk: Uint8Array): void => {
      try {
        if (outputs.push(chunk)) return;
      } catch (error) {
        socket.destroy();
        reject(error);
        return;
      }
      socket.pause();
      void outputs.calm().then(() => socket.resume());
    };
    if (first.length > 0) take(first);
    socket.listen({ data: take, end: () => void outputs.calm().then(resolve, reject) });
    void outputs.calm().then(() => socket.resume());
  });

/** Copies standard input, and closes that half of the connection at its end. True: the keys to leave were typed. */
const copyInput = async (socket: StreamSocket, keys: DetachKeys | undefined): Promise<boolean> => {
  for await (const typed of readInput()) {
    const { data, detached } = keys?.push(typed) ?? { data: typed, detached: false };
    if (!socket.isOpen) return false;
    if (data.length > 0 && !socket.write(data)) await socket.drained();
    if (detached) return true;
  }
  socket.end();
  return false;
};

/** Resolves when the container's output has ended, or the keys to leave were typed. */
export const runSession = async (stream: Hijacked, options: SessionOptions): Promise<"ended" | "detached"> => {
  const { socket } = stream;
  const keys = options.tty ? new DetachKeys(options.detachKeys) : undefined;
  const output = copyOutput(stream, options.tty).then(() => "ended" as const);
  const input = options.input ? copyInput(socket, keys) : undefined;
  if (input === undefined) return await output;
  // The end of the input alone is not the end; leaving is.
  const left = input.then(
    (detached) => (detached || !options.output ? ("detached" as const) : output),
    () => output,
  );
  const how = await Promise.race([output, left]);
  if (how === "detached" && options.output) socket.destroy();
  return how === "detached" && !options.output ? "ended" : how;
};
