/** The host's own resolvers, asked one after the other. */
import { randomInt } from "node:crypto";
import { createSocket } from "node:dgram";
import { isIPv6, connect as openConnection } from "node:net";
import { type Message, parseMessage, withId } from "./message.ts";

export interface Server {
  readonly address: string;
  readonly port: number;
}

/** Milliseconds: the first server gets little, so that a dead one costs a client no more than that. */
const waits = [700, 1000, 1500] as const;
const mostServers = 3;

/** The answer of the first server that gives one that is of use, whole also where a datagram had no room for it. */
export const askServers = async (
  servers: readonly Server[],
  query: Message,
  signal?: AbortSignal,
): Promise<Message | undefined> => {
  let refusal: Message | undefined;
  for (const [round, wait] of waits.entries()) {
    for (const server of servers.slice(0, mostServers)) {
      if (signal?.aborted === true) return undefined;
      const answer = await askServer(server, query, wait);
      if (answer !== undefined && !isRefusal(answer)) return answer;
      refusal = answer ?? refusal;
    }
    // All of them have spoken, and none knows better: asking again would bring the same.
    if (refusal !== undefined && round > 0) return refusal;
  }
  return refusal;
};

/** SERVFAIL, NOTIMP, REFUSED: another server may do better. */
const isRefusal = ({ code }: Message): boolean => code === 2 || code === 4 || code === 5;

const askServer = async (server: Server, query: Message, wait: number): Promise<Message | undefined> => {
  const id = randomInt(0x10000);
  const bytes = withId(query.bytes, id);
  const isAnswer = (answer: Message | undefined): answer is Message =>
    answer?.isAnswer === true && answer.id === id && answer.question === query.question;
  const answer = await askByDatagram(server, bytes, wait, isAnswer);
  if (answer?.isCut !== true) return answer;
  return (await askByStream(server, bytes, wait, isAnswer)) ?? answer;
};

type Check = (answer: Message | undefined) => answer is Message;

/** From a port of its own for each question: who wants to answer in the server's stead must guess both numbers. */
const askByDatagram = (server: Server, bytes: Buffer, wait: number, isAnswer: Check): Promise<Message | undefined> =>
  new Promise((resolve) => {
    const socket = createSocket(isIPv6(server.address) ? "udp6" : "udp4");
    const finish = (answer?: Message): void => {
      clearTimeout(timer);
      socket.close();
      resolve(answer);
    };
    const timer = setTimeout(finish, wait);
    let isOver = false;
    const once = (answer?: Message): void => {
      if (isOver) return;
      isOver = true;
      finish(answer);
    };
    socket.on("error", () => once());
    socket.on("message", (received) => {
      const answer = parseMessage(received);
      if (isAnswer(answer)) once(answer);
    });
    // Without a callback of its own, which would be given the error, nobody would be told it as an event.
    socket.once("connect", () => socket.send(bytes));
    socket.connect(server.port, server.address);
  });

const askByStream = (server: Server, bytes: Buffer, wait: number, isAnswer: Check): Promise<Message | undefined> =>
  new Promise((resolve) => {
    const socket = openConnection({ host: server.address, port: server.port });
    let held = Buffer.alloc(0);
    const finish = (answer?: Message): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve(answer);
    };
    const timer = setTimeout(finish, wait);
    socket.on("error", () => finish());
    socket.on("close", () => finish());
    socket.on("connect", () => socket.write(Buffer.concat([Buffer.of(bytes.length >>> 8, bytes.length & 255), bytes])));
    socket.on("data", (chunk: Buffer) => {
      held = Buffer.concat([held, chunk]);
      if (held.length < 2 || held.length < 2 + held.readUInt16BE(0)) return;
      const answer = parseMessage(held.subarray(2, 2 + held.readUInt16BE(0)));
      finish(isAnswer(answer) ? answer : undefined);
    });
  });
