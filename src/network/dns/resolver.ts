/**
 * What no table answers: keepers send it here over one connection each, and get what the host's resolvers say, from the
 * cache where it still holds. `docs/formats/names.md` has the frames.
 */
import { rmSync } from "node:fs";
import { createServer, type Server as Listener, type Socket } from "node:net";
import { AnswerCache } from "./cache.ts";
import type { HostServers } from "./host-servers.ts";
import { cutAnswer, datagramLimit, failedAnswer, inSpellingOf, type Message, parseMessage, withId } from "./message.ts";
import { askServers, type Server } from "./upstream.ts";

const questionHead = 12;
const frameLimit = 0xffff + questionHead;
/** Questions of all containers that wait for a server; more of them are told to come again. */
const mostOpen = 1000;
/** Those of one container among them: it must not take the names away from the others. */
const mostOpenEach = 250;

export class NameResolver {
  readonly #cache = new AnswerCache();
  readonly #open = new Map<string, Promise<Message | undefined>>();
  readonly #hosts: HostServers;
  readonly #onNewServers: (servers: readonly Server[]) => void;
  readonly #connections = new Set<Socket>();
  #listener: Listener | undefined;

  /** `onNewServers` hears when the host has got other resolvers. */
  constructor(hosts: HostServers, onNewServers: (servers: readonly Server[]) => void = () => {}) {
    this.#hosts = hosts;
    this.#onNewServers = onNewServers;
  }

  /** Holds afterwards: keepers are answered at this path. What an earlier daemon left there is gone. */
  listen(path: string): Promise<void> {
    this.#lookAtHost();
    rmSync(path, { force: true });
    const listener = createServer((socket) => this.#serve(socket));
    this.#listener = listener;
    const umask = process.umask(0o177);
    return new Promise<void>((resolve, reject) => {
      listener.once("error", reject);
      listener.listen(path, () => resolve());
    }).finally(() => process.umask(umask));
  }

  close(): void {
    this.#listener?.close();
    for (const socket of this.#connections) socket.destroy();
  }

  /** The whole answer to a question in DNS's form; undefined for bytes that are none. */
  async answer(bytes: Buffer, isStream: boolean): Promise<Buffer | undefined> {
    const query = parseMessage(bytes);
    if (query === undefined || query.isAnswer) return undefined;
    const servers = this.#lookAtHost();
    const answer = this.#cache.find(query) ?? (await this.#ask(servers, query));
    if (answer === undefined) return failedAnswer(query);
    return isStream || answer.length <= datagramLimit(query) ? inSpellingOf(query, answer) : cutAnswer(query);
  }

  #lookAtHost(): readonly Server[] {
    const { servers, isNew } = this.#hosts.look();
    if (isNew) {
      this.#cache.clear();
      this.#onNewServers(servers);
    }
    return servers;
  }

  /** Whoever asks what is being asked already waits for the same answer. */
  async #ask(servers: readonly Server[], query: Message): Promise<Buffer | undefined> {
    const key = query.bytes.toString("latin1", 2);
    let open = this.#open.get(key);
    if (open === undefined) {
      if (this.#open.size >= mostOpen) return undefined;
      open = askServers(servers, query).finally(() => this.#open.delete(key));
      this.#open.set(key, open);
      open.then(
        (answer) => answer !== undefined && this.#cache.keep(query, answer),
        () => {},
      );
    }
    const answer = await open;
    return answer === undefined ? undefined : withId(answer.bytes, query.id);
  }

  #serve(socket: Socket): void {
    this.#connections.add(socket);
    let held: Buffer = Buffer.alloc(0);
    let open = 0;
    socket.on("error", () => socket.destroy());
    socket.on("close", () => this.#connections.delete(socket));
    socket.on("data", (chunk: Buffer) => {
      held = held.length === 0 ? chunk : Buffer.concat([held, chunk]);
      while (held.length >= questionHead) {
        const size = held.readUInt32LE(0);
        if (size > frameLimit || size < questionHead - 4) {
          socket.destroy();
          return;
        }
        if (held.length < 4 + size) return;
        const [tag, isStream] = [held.readUInt32LE(4), held.readUInt32LE(8) !== 0];
        const question = Buffer.from(held.subarray(questionHead, 4 + size));
        held = held.subarray(4 + size);
        const isTooMuch = ++open > mostOpenEach;
        void this.#reply(socket, tag, isTooMuch ? refused(question) : this.answer(question, isStream)).finally(
          () => open--,
        );
      }
    });
  }

  async #reply(socket: Socket, tag: number, answering: Promise<Buffer | undefined>): Promise<void> {
    const answer = (await answering.catch(() => undefined)) ?? Buffer.alloc(0);
    const frame = Buffer.alloc(8 + answer.length);
    frame.writeUInt32LE(4 + answer.length, 0);
    frame.writeUInt32LE(tag, 4);
    answer.copy(frame, 8);
    if (!socket.destroyed) socket.write(frame);
  }
}

const refused = async (question: Buffer): Promise<Buffer | undefined> => {
  const query = parseMessage(question);
  return query === undefined ? undefined : failedAnswer(query);
};
