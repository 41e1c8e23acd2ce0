/** Clients that are attached to containers, or will be when these start. */
import type { Duplex } from "node:stream";
import { drained } from "../base/drained.ts";
import type { ContainerId } from "../base/ids.ts";
import { type AttachRequest, joinStreams } from "./attach.ts";
import type { ContainerEvents } from "./events.ts";
import type { Attachment, Live } from "./live.ts";
import { readLogs } from "./logs.ts";
import type { ContainerRecord } from "./record.ts";

/** What of its stream a client wants. */
export interface StreamRequest extends AttachRequest {
  /** What was said before. */
  readonly logs: boolean;
  /** What is said from now on. */
  readonly stream: boolean;
}

export class Attachments {
  readonly #events: ContainerEvents;
  readonly #waiting = new Map<ContainerId, Attachment[]>();
  readonly #joined = new WeakSet<Attachment>();

  constructor(events: ContainerEvents) {
    this.#events = events;
  }

  /** Joins the client to the container, now if it runs and at its start if it does not; resolves when the stream is over. */
  async attach(
    record: ContainerRecord,
    live: Live | undefined,
    logPath: string,
    request: StreamRequest,
    client: Duplex,
  ): Promise<void> {
    const { tty, openStdin } = record.request;
    if (request.logs) await replay(logPath, tty, request, client);
    if (!request.stream) {
      client.end();
      return;
    }
    const wanted = { ...request, stdin: request.stdin && openStdin };
    this.#events.emit("attach", record);
    const over =
      live === undefined
        ? this.#attachLater(record, wanted, client)
        : (await joinStreams(client, live.paths.control, wanted, tty, live.keeper.exited)).over;
    if (await over) this.#events.emit("detach", record);
  }

  /** The clients that wait for this container's start; they wait on until they are taken off or go. */
  of(id: ContainerId): readonly Attachment[] {
    return this.#waiting.get(id) ?? [];
  }

  /** The container runs: who came too late to be joined before its first word is joined now. */
  async started(id: ContainerId, live: Live): Promise<void> {
    const late = this.of(id).filter((attachment) => !this.#joined.has(attachment));
    this.#waiting.delete(id);
    for (const { client, request, tty, joined } of late) {
      const stream = await joinStreams(client, live.paths.control, request, tty, live.keeper.exited).catch(
        () => undefined,
      );
      // It has ended already, and its keeper with it.
      if (stream === undefined) client.end();
      else joined(stream.over);
    }
  }

  /** There was no start: those who waited for it are sent away. */
  failed(id: ContainerId): void {
    for (const { client } of this.of(id)) client.end();
    this.#waiting.delete(id);
  }

  #attachLater(record: ContainerRecord, request: AttachRequest, client: Duplex): Promise<boolean> {
    const waiting = this.#waiting.get(record.id) ?? [];
    this.#waiting.set(record.id, waiting);
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const attachment: Attachment = {
      client,
      request,
      tty: record.request.tty,
      joined: (over) => {
        this.#joined.add(attachment);
        resolve(over);
      },
    };
    waiting.push(attachment);
    client.once("close", () => {
      const index = waiting.indexOf(attachment);
      if (index >= 0) waiting.splice(index, 1);
      resolve(false);
    });
    return promise;
  }
}

const replay = async (path: string, raw: boolean, request: AttachRequest, client: Duplex): Promise<void> => {
  const { stdout, stderr } = request;
  const options = { stdout, stderr, follow: false, timestamps: false, details: false, raw };
  for await (const chunk of await readLogs(path, options)) {
    if (!client.write(chunk)) await drained(client);
  }
};
