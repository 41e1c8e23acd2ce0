/** Keepers as the daemon knows them: one connection each, on which they say what happened and are asked for little. */
import { spawn } from "node:child_process";
import { connect, Socket } from "node:net";
import { Readable, Writable } from "node:stream";
import { errorsFrom } from "../base/errors.ts";
import { kernelErrors } from "./errors.ts";
import type { Holder } from "./holder.ts";
import { attachFlags, daemonSays, keeperSays, phases, protocolVersion } from "./messages.ts";
import { errnoMessage, errnos } from "./numbers/errno.ts";
import { laneCodes } from "./steps.ts";

const kernelError = errorsFrom(kernelErrors);
const frameHeader = 8;
/** The answer about a process that is no more, also when its keeper is not there to give it. */
const gone: KeeperAnswer = { errno: errnos.ESRCH.number, step: 0 };

/** A process that cannot be mistaken for another: a pid and the clock ticks since boot at its birth. */
export interface ProcessMark {
  readonly pid: number;
  readonly startTime: number;
}

/** How a container ended: the wait status (man 2 wait), nanoseconds since 1970, and what the after lane reported. */
export interface ExitReport {
  readonly status: number;
  readonly time: bigint;
  readonly report: string;
  /** How many steps of the after lane failed: what they should have taken away may still be there. */
  readonly left: number;
}

/** The step at which a plan stopped, and the kernel's error number. */
export class StepFailure extends Error {
  readonly lane: keyof typeof laneCodes;
  readonly index: number;
  readonly errno: number;

  constructor(lane: keyof typeof laneCodes, index: number, errno: number) {
    super(`step ${index} of the ${lane} lane failed with error number ${errno}`);
    this.name = "StepFailure";
    this.lane = lane;
    this.index = index;
    this.errno = errno;
  }
}

/** The bytes of an exit file, or of the message of the same name. */
export const decodeExit = (bytes: Uint8Array): ExitReport => {
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (view.length < 16) throw kernelError("keeperProtocol", { what: "a short exit report" });
  return {
    status: view.readInt32LE(0),
    left: view.readUInt32LE(4),
    time: view.readBigUInt64LE(8),
    report: view.toString("latin1", 16),
  };
};

const decodeMark = (payload: Buffer, at: number): ProcessMark => ({
  pid: payload.readUInt32LE(at),
  startTime: Number(payload.readBigUInt64LE(at + 8)),
});

const frame = (type: number, ...payload: number[]): Buffer => {
  const bytes = Buffer.alloc(frameHeader + payload.length * 4);
  bytes.writeUInt32LE(type, 0);
  bytes.writeUInt32LE(payload.length * 4, 4);
  for (const [index, word] of payload.entries()) bytes.writeUInt32LE(word, frameHeader + index * 4);
  return bytes;
};

/** Bytes: more than the path of a container's plan has, for `<run>` is so short that a socket finds room in it (107, unix(7)). */
const pathRoom = 192;

const pathFrame = (type: number, path: string): Buffer => {
  const bytes = Buffer.from(path);
  const head = frame(type);
  head.writeUInt32LE(bytes.length, 4);
  return Buffer.concat([head, bytes]);
};

/** Calls `say` for every whole frame of a stream that comes in pieces. */
const frames = (say: (type: number, payload: Buffer) => void): ((chunk: Buffer) => void) => {
  let held: Buffer = Buffer.alloc(0);
  return (chunk) => {
    held = held.length === 0 ? chunk : Buffer.concat([held, chunk]);
    while (held.length >= frameHeader) {
      const end = frameHeader + held.readUInt32LE(4);
      if (held.length < end) return;
      const type = held.readUInt32LE(0);
      const payload = held.subarray(frameHeader, end);
      held = held.subarray(end);
      say(type, payload);
    }
  };
};

interface Pending<T> {
  readonly promise: Promise<T>;
  readonly resolve: (value: T) => void;
  readonly reject: (error: Error) => void;
}

const pending = <T>(): Pending<T> => {
  const made = Promise.withResolvers<T>();
  // Whoever waits sees the error; that nobody waits for one of the three is no error of its own.
  made.promise.catch(() => {});
  return made;
};

const heldBytes = 1024 * 1024;

/** Bytes that come over a keeper's connection: whoever reads them slowly slows the keeper down. */
class ByteStream implements AsyncIterable<Uint8Array> {
  readonly #socket: Socket;
  readonly #parts: Uint8Array[] = [];
  #held = 0;
  #isOver = false;
  #wake: () => void = () => {};

  constructor(socket: Socket) {
    this.#socket = socket;
  }

  push(bytes: Uint8Array): void {
    this.#parts.push(bytes);
    this.#held += bytes.length;
    if (this.#held > heldBytes) this.#socket.pause();
    this.#wake();
  }

  /** Nothing more comes: whether all of it came, the keeper's end says. */
  end(): void {
    this.#isOver = true;
    this.#wake();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    try {
      for (;;) {
        const part = this.#parts.shift();
        if (part !== undefined) {
          this.#held -= part.length;
          if (this.#held <= heldBytes) this.#socket.resume();
          yield part;
        } else if (this.#isOver) return;
        else await new Promise<void>((resolve) => (this.#wake = resolve));
      }
    } finally {
      // Whoever reads no further must not hold the keeper up.
      if (!this.#isOver) this.#socket.destroy();
    }
  }
}

/** What became of a request: the kernel's error number, 0 for success; and the step that failed, of a change. */
export interface KeeperAnswer {
  readonly errno: number;
  readonly step: number;
}

export class Keeper {
  /** The protocol that it speaks: one that this daemon started, ours. */
  protocol: number = protocolVersion;
  readonly #socket: Socket;
  readonly #hello = pending<{ phase: number; process: ProcessMark }>();
  readonly #created = pending<ProcessMark>();
  readonly #started = pending<void>();
  readonly #exited = pending<ExitReport>();
  readonly #closed = pending<void>();
  readonly #answers: ((answer: KeeperAnswer) => void)[] = [];
  readonly #bytes = new Map<number, Buffer[]>();
  readonly #streams = new Map<number, ByteStream>();
  #ooms = 0;
  #hearOom: (count: number) => void = () => {};
  #failure: Error | undefined;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on(
      "data",
      frames((type, payload) => this.#hear(type, payload)),
    );
    socket.on("error", () => socket.destroy());
    socket.on("close", () => this.#close());
  }

  /** Starts a keeper on the plan in a file; whatever comes of it is said on the keeper's own promises. */
  static launch(holder: Holder, planPath: string): Keeper {
    return Keeper.#spawn(holder, planPath, "ignore", "ignore").keeper;
  }

  /** Starts a keeper that has no plan yet. */
  static launchAhead(holder: Holder): Keeper {
    return Keeper.#spawn(holder, "-".repeat(pathRoom), "ignore", "ignore").keeper;
  }

  /** The same for a plan with a step that writes to standard output. */
  static launchTelling(holder: Holder, planPath: string): { readonly keeper: Keeper; readonly output: Readable } {
    const { keeper, child } = Keeper.#spawn(holder, planPath, "ignore", "pipe");
    return { keeper, output: child.stdout ?? Readable.from([]) };
  }

  /** The same for a plan with a step that reads standard input. */
  static launchFed(holder: Holder, planPath: string): { readonly keeper: Keeper; readonly input: Writable } {
    const { keeper, child } = Keeper.#spawn(holder, planPath, "pipe", "ignore");
    return { keeper, input: child.stdin ?? new Writable({ write: (_chunk, _encoding, done) => done() }) };
  }

  static #spawn(holder: Holder, planPath: string, stdin: "ignore" | "pipe", stdout: "ignore" | "pipe") {
    const child = spawn(holder.program, ["run", planPath], {
      argv0: "keeper",
      cwd: "/",
      env: {},
      detached: true,
      stdio: [stdin, stdout, "ignore", "pipe"],
    });
    child.unref();
    // Where there was not even room for a process or a descriptor, there are no streams (Bun has no list of them then).
    const streams = child.stdio as readonly unknown[] | undefined;
    const socket = (streams?.[3] as Socket | null | undefined) ?? new Socket();
    const keeper = new Keeper(socket);
    // Nobody will ever speak on the socket. A holder that was killed: its program is no longer there.
    child.on("error", (cause: NodeJS.ErrnoException) => {
      const reason = errnoMessage(Math.abs(cause.errno ?? 0));
      keeper.#failure ??= kernelError("keeperNotStarted", { reason }, cause);
      socket.destroy();
    });
    return { keeper, child };
  }

  /** A keeper that lives already; rejects with `ENOENT` or `ECONNREFUSED` where there is none. */
  static async connect(controlPath: string): Promise<Keeper> {
    const socket = connect(controlPath);
    await new Promise<void>((resolve, reject) => socket.once("connect", resolve).once("error", reject));
    const keeper = new Keeper(socket);
    await keeper.#hello.promise;
    return keeper;
  }

  /** Where the container was when the connection was made. */
  async hello(): Promise<{ phase: keyof typeof phases; process: ProcessMark }> {
    const { phase, process } = await this.#hello.promise;
    const name = (Object.keys(phases) as (keyof typeof phases)[]).find((key) => phases[key] === phase);
    if (name === undefined) throw kernelError("keeperProtocol", { what: `phase ${phase}` });
    return { phase: name, process };
  }

  /** The first process waits at its commit point; rejects with a `StepFailure` when a step before it fails. */
  get created(): Promise<ProcessMark> {
    return this.#created.promise;
  }

  /** The program runs; rejects with a `StepFailure` when one of the last steps fails. */
  get started(): Promise<void> {
    return this.#started.promise;
  }

  /** The container has ended and its after lane has run. */
  get exited(): Promise<ExitReport> {
    return this.#exited.promise;
  }

  /** The keeper has left (or the connection to it broke): nothing of its plan is left to do for it. */
  get closed(): Promise<void> {
    return this.#closed.promise;
  }

  /** What reading steps reported under this number. */
  bytes(index: number): Buffer {
    return Buffer.concat(this.#bytes.get(index) ?? []);
  }

  /** What a reading step reports under this number, as it comes; asked for before the keeper has said anything of it. */
  stream(index: number): AsyncIterable<Uint8Array> {
    const stream = new ByteStream(this.#socket);
    this.#streams.set(index, stream);
    return stream;
  }

  /** Calls the listener whenever memory has run out in the container, with how often so far. */
  onOom(listener: (count: number) => void): void {
    this.#hearOom = listener;
    if (this.#ooms > 0) listener(this.#ooms);
  }

  /** Gives a plan to one that was started ahead of need. */
  begin(planPath: string): void {
    this.#socket.write(pathFrame(daemonSays.plan, planPath));
  }

  start(): Promise<void> {
    this.#socket.write(frame(daemonSays.start));
    return this.#started.promise;
  }

  /** The kernel's error number, 0 for success. */
  async signal(number: number): Promise<number> {
    return (await this.#ask(frame(daemonSays.signal, number))).errno;
  }

  async resize(rows: number, columns: number): Promise<number> {
    return (await this.#ask(frame(daemonSays.resize, rows, columns))).errno;
  }

  /** Runs the plan that lies beside its own. */
  change(): Promise<KeeperAnswer> {
    return this.#ask(frame(daemonSays.change));
  }

  /** The connection is no longer used; the keeper and its container live on, if they were started. */
  leave(): void {
    this.#socket.destroy();
  }

  #ask(request: Buffer): Promise<KeeperAnswer> {
    if (this.#socket.destroyed) return Promise.resolve(gone);
    this.#socket.write(request);
    return new Promise((resolve) => this.#answers.push(resolve));
  }

  #hear(type: number, payload: Buffer): void {
    switch (type) {
      case keeperSays.hello:
        this.protocol = payload.readUInt32LE(0);
        this.#hello.resolve({ phase: payload.readUInt32LE(4), process: decodeMark(payload, 8) });
        break;
      case keeperSays.created:
        this.#created.resolve(decodeMark(payload, 0));
        break;
      case keeperSays.started:
        this.#started.resolve();
        break;
      case keeperSays.failed:
        this.#fail(payload);
        break;
      case keeperSays.exited:
        this.#exited.resolve(decodeExit(payload));
        break;
      case keeperSays.bytes:
        this.#collect(payload);
        break;
      case keeperSays.memory:
        this.#ooms = payload.readUInt32LE(0);
        this.#hearOom(this.#ooms);
        break;
      case keeperSays.answer:
        // Older keepers name no step.
        this.#answers.shift()?.({
          errno: payload.readInt32LE(0),
          step: payload.length < 8 ? 0 : payload.readUInt32LE(4),
        });
        break;
    }
  }

  #collect(payload: Buffer): void {
    const index = payload.readUInt32LE(0);
    const stream = this.#streams.get(index);
    if (stream !== undefined) {
      stream.push(Buffer.from(payload.subarray(4)));
      return;
    }
    const parts = this.#bytes.get(index) ?? [];
    parts.push(Buffer.from(payload.subarray(4)));
    this.#bytes.set(index, parts);
  }

  #fail(payload: Buffer): void {
    const lane = payload.readUInt32LE(0) === laneCodes.inside ? "inside" : "outside";
    this.#failure ??= new StepFailure(lane, payload.readUInt32LE(4), payload.readInt32LE(8));
  }

  // A failure is told only now: when the connection closes, the keeper has taken back what it did.
  #close(): void {
    const error = this.#failure ?? kernelError("keeperLost", {});
    for (const waiting of [this.#hello, this.#created, this.#started, this.#exited]) waiting.reject(error);
    for (const answer of this.#answers.splice(0)) answer(gone);
    for (const stream of this.#streams.values()) stream.end();
    this.#closed.resolve();
  }
}

/** A stream to and from the container of a keeper: output framed (raw for a terminal), what is written is its standard input. */
export const attachTo = async (
  controlPath: string,
  streams: Readonly<Record<keyof typeof attachFlags, boolean>>,
): Promise<Socket> => {
  const socket = connect({ path: controlPath, allowHalfOpen: true });
  const flags = (Object.keys(attachFlags) as (keyof typeof attachFlags)[]).reduce(
    (sum, name) => (streams[name] ? sum | attachFlags[name] : sum),
    0,
  );
  await new Promise<void>((resolve, reject) => {
    let held: Buffer = Buffer.alloc(0);
    const hear = (chunk: Buffer): void => {
      held = Buffer.concat([held, chunk]);
      while (held.length >= frameHeader) {
        const end = frameHeader + held.readUInt32LE(4);
        if (held.length < end) return;
        const type = held.readUInt32LE(0);
        held = held.subarray(end);
        if (type !== keeperSays.attached) continue;
        socket.off("data", hear);
        socket.pause();
        // What follows the frame in the same piece belongs to the stream already.
        if (held.length > 0) socket.unshift(held);
        resolve();
        return;
      }
    };
    socket.on("data", hear);
    socket.once("error", reject);
    socket.once("close", () => reject(kernelError("keeperLost", {})));
    socket.write(frame(daemonSays.attach, flags));
  });
  socket.removeAllListeners("error");
  socket.removeAllListeners("close");
  return socket;
};
