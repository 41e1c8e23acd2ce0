/**
 * DNS messages as bytes. What passes through stays as it is, whatever types it is about; only the few places are looked
 * at that a forwarder must know: the number, the question, how long answers hold, how much a client can take.
 */
import { recordTypes } from "./wire.ts";

const headerSize = 12;
const answerBit = 0x80;
const cutBit = 0x02;
const recursiveBit = 0x01;
const opcodeBits = 0x78;
const canRecurseBit = 0x80;
const plainSize = 512;
const codes = { fine: 0, failure: 2, noName: 3 } as const;

const isPointer = (byte: number): boolean => (byte & 0xc0) === 0xc0;

/** Where the name that begins at `at` ends; undefined when it does not. */
const endOfName = (message: Uint8Array, from: number): number | undefined => {
  let at = from;
  while (at < message.length) {
    const length = message[at]!;
    if (isPointer(length)) return at + 2 <= message.length ? at + 2 : undefined;
    if (length > 63) return undefined;
    at += 1 + length;
    if (length === 0) return at <= message.length ? at : undefined;
  }
  return undefined;
};

interface DnsRecord {
  readonly type: number;
  readonly class: number;
  /** Where its time to live stands. */
  readonly ttlAt: number;
  readonly ttl: number;
  readonly end: number;
  readonly dataAt: number;
  readonly section: "answer" | "authority" | "additional";
}

export interface Message {
  readonly bytes: Buffer;
  readonly id: number;
  readonly isAnswer: boolean;
  readonly isCut: boolean;
  readonly code: number;
  /** The question in lower case, type and class with it: what answers are kept under. */
  readonly question: string;
  readonly questionEnd: number;
  readonly records: readonly DnsRecord[];
}

/** Undefined for bytes that are no message about one question. */
export const parseMessage = (bytes: Buffer): Message | undefined => {
  if (bytes.length < headerSize || bytes.readUInt16BE(4) !== 1) return undefined;
  if ((bytes[2]! & opcodeBits) !== 0) return undefined;
  const nameEnd = endOfName(bytes, headerSize);
  if (nameEnd === undefined || nameEnd + 4 > bytes.length) return undefined;
  const questionEnd = nameEnd + 4;
  const records = parseRecords(bytes, questionEnd);
  if (records === undefined) return undefined;
  const name = bytes.toString("latin1", headerSize, nameEnd).replace(/[A-Z]/g, (letter) => letter.toLowerCase());
  return {
    bytes,
    id: bytes.readUInt16BE(0),
    isAnswer: (bytes[2]! & answerBit) !== 0,
    isCut: (bytes[2]! & cutBit) !== 0,
    code: bytes[3]! & 15,
    question: name + bytes.toString("latin1", nameEnd, questionEnd),
    questionEnd,
    records,
  };
};

const parseRecords = (bytes: Buffer, from: number): DnsRecord[] | undefined => {
  const records: DnsRecord[] = [];
  let at = from;
  for (const [index, section] of (["answer", "authority", "additional"] as const).entries()) {
    for (let left = bytes.readUInt16BE(6 + 2 * index); left > 0; left--) {
      const head = endOfName(bytes, at);
      if (head === undefined || head + 10 > bytes.length) return undefined;
      const end = head + 10 + bytes.readUInt16BE(head + 8);
      if (end > bytes.length) return undefined;
      const [type, kind, ttl] = [bytes.readUInt16BE(head), bytes.readUInt16BE(head + 2), bytes.readUInt32BE(head + 4)];
      records.push({ type, class: kind, ttlAt: head + 4, ttl, dataAt: head + 10, end, section });
      at = end;
    }
  }
  return records;
};

const optionOf = ({ records }: Message): DnsRecord | undefined => records.find(({ type }) => type === recordTypes.opt);

/** How large a datagram the one who asks can take. */
export const datagramLimit = (query: Message): number => Math.max(plainSize, optionOf(query)?.class ?? 0);

/**
 * Whether the answer is the same for whoever asks so. With options of EDNS it is the answer to one client alone: cookies
 * must be its own (RFC 7873), and a subnet is where it stands (RFC 7871).
 */
export const isAnybodys = ({ records }: Message): boolean =>
  records.every(({ type, dataAt, end }) => type === recordTypes.opt && dataAt === end);

/** What distinguishes answers to the same question: whether EDNS, signatures and unchecked data were asked for. */
export const variantOf = (query: Message): string => {
  const option = optionOf(query);
  const wantsSignatures = option !== undefined && (option.ttl & 0x8000) !== 0;
  return `${option === undefined ? "" : "e"}${wantsSignatures ? "d" : ""}${query.bytes[3]! & 0x10 ? "c" : ""}${query.bytes[2]! & recursiveBit}`;
};

const hourAndMore = 86_400;
const negativeLimit = 900;

/** How many seconds the answer may be kept; 0: not at all. */
export const lifetimeOf = (answer: Message): number => {
  if (answer.isCut) return 0;
  const kept = answer.records.filter(({ type }) => type !== recordTypes.opt);
  const isPositive = answer.code === codes.fine && kept.some(({ section }) => section === "answer");
  if (isPositive) return Math.min(hourAndMore, ...kept.map(({ ttl }) => ttl));
  if (answer.code !== codes.fine && answer.code !== codes.noName) return 0;
  // RFC 2308: that there is nothing holds as long as its SOA record says, and without one for no time.
  const soa = kept.find(({ type, section }) => type === recordTypes.soa && section === "authority");
  if (soa === undefined || soa.end - soa.dataAt < 20) return 0;
  return Math.min(negativeLimit, soa.ttl, answer.bytes.readUInt32BE(soa.end - 4));
};

/** The same message under another number, its records `age` seconds older. */
export const aged = (message: Message, id: number, age: number): Buffer => {
  const bytes = Buffer.from(message.bytes);
  bytes.writeUInt16BE(id, 0);
  for (const { type, ttlAt, ttl } of message.records) {
    if (type !== recordTypes.opt) bytes.writeUInt32BE(Math.max(0, ttl - age), ttlAt);
  }
  return bytes;
};

export const withId = (bytes: Buffer, id: number): Buffer => {
  const copy = Buffer.from(bytes);
  copy.writeUInt16BE(id, 0);
  return copy;
};

/** The question as it was asked, in the spelling in which it was asked, with `code`; `isCut`: ask again by a stream. */
const bareAnswer = (query: Message, bits: number, code: number): Buffer => {
  const bytes = Buffer.from(query.bytes.subarray(0, query.questionEnd));
  bytes[2] = answerBit | (query.bytes[2]! & (opcodeBits | recursiveBit)) | bits;
  bytes[3] = canRecurseBit | code;
  bytes.fill(0, 6, headerSize);
  return bytes;
};

export const cutAnswer = (query: Message): Buffer => bareAnswer(query, cutBit, codes.fine);
export const failedAnswer = (query: Message): Buffer => bareAnswer(query, 0, codes.failure);

/** The answer's question in the spelling of the query: some clients compare them byte for byte. */
export const inSpellingOf = (query: Message, answer: Buffer): Buffer => {
  query.bytes.copy(answer, headerSize, headerSize, query.questionEnd);
  return answer;
};
