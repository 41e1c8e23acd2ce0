/** A client's stream and a keeper's, joined: output to the client, its input to the container. */
import { type Duplex, Transform } from "node:stream";
import { detachKey } from "../format/detach-key.ts";
import { attachTo } from "../kernel/keeper.ts";
import { containerError } from "./errors.ts";

/** What a client asks for when it attaches. */
export interface AttachRequest {
  readonly stdin: boolean;
  readonly stdout: boolean;
  readonly stderr: boolean;
  /** As `--detach-keys` has them; undefined: Docker's `ctrl-p,ctrl-q`. */
  readonly detachKeys?: string | undefined;
}

/** The bytes of `ctrl-p,ctrl-q` and the like; undefined for what is no key. */
export const parseDetachKeys = (text: string): Uint8Array | undefined => {
  const keys = text.split(",").map(detachKey);
  return keys.every((key) => key !== undefined) ? Uint8Array.from(keys) : undefined;
};

/** Throws for what are no keys, in Docker's words: `detach` those of an attachment, `escape` those of a session. */
export const checkDetachKeys = (keys: string | undefined, what: "detach" | "escape"): void => {
  if (keys !== undefined && keys !== "" && parseDetachKeys(keys) === undefined)
    throw containerError("invalidKeys", { keys, what });
};

export const defaultDetachKeys = "ctrl-p,ctrl-q";

/**
 * Passes input on until the detach keys come, which are kept back, also when they come one by one; a sequence that is
 * broken off goes through whole. `detached` is called once, and what follows goes nowhere.
 */
export class DetachKeys extends Transform {
  readonly #keys: Uint8Array;
  readonly #detached: () => void;
  #matched = 0;
  #over = false;

  constructor(keys: Uint8Array, detached: () => void) {
    super();
    this.#keys = keys;
    this.#detached = detached;
  }

  override _transform(chunk: Buffer, _encoding: string, done: () => void): void {
    const passed: number[] = [];
    for (const byte of chunk) {
      if (this.#over) break;
      if (byte === this.#keys[this.#matched]) {
        this.#matched++;
      } else {
        passed.push(...this.#keys.subarray(0, this.#matched));
        this.#matched = byte === this.#keys[0] ? 1 : 0;
        if (this.#matched === 0) passed.push(byte);
      }
      if (this.#matched === this.#keys.length) {
        this.#over = true;
        this.#detached();
      }
    }
    if (passed.length > 0) this.push(Buffer.from(passed));
    done();
  }
}

/**
 * Joins the two until the container's output ends, the client goes, or it detaches (which answers true). The streams
 * slow each other down; neither is ever read faster than the other takes. `exited` settles when the end of the process
 * is on record.
 */
export const joinStreams = async (
  client: Duplex,
  controlPath: string,
  request: AttachRequest,
  tty: boolean,
  exited: Promise<unknown>,
): Promise<{ readonly over: Promise<boolean> }> => {
  const stream = await attachTo(controlPath, {
    stdin: request.stdin,
    stdout: request.stdout,
    stderr: request.stderr,
  });
  const over = new Promise<boolean>((resolve) => {
    let detached = false;
    const finish = (): void => resolve(detached);
    const end = (): void => {
      client.end();
    };
    // A keeper that goes with input unread breaks the connection off instead of ending it.
    stream.on("close", () => (detached || client.destroyed ? finish() : void exited.then(finish, finish)));
    stream.on("error", () => stream.destroy());
    client.on("error", () => client.destroy());
    client.on("close", () => stream.destroy());
    // A client that has seen the end asks for the exit code at once: it is known before.
    stream.on("end", () => void exited.then(end, end));
    stream.pipe(client, { end: false });
    if (!request.stdin) {
      client.resume();
      return;
    }
    const keys = parseDetachKeys(request.detachKeys || defaultDetachKeys);
    const leave = (): void => {
      detached = true;
      stream.unpipe(client);
      client.end();
      stream.destroy();
    };
    // Only a terminal has keys: in other input the bytes mean themselves.
    if (tty && keys !== undefined && keys.length > 0) client.pipe(new DetachKeys(keys, leave)).pipe(stream);
    else client.pipe(stream);
  });
  return { over };
};
