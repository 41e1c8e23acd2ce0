/**
 * nftables as messages to the kernel: tables, chains, sets, maps, their elements, and rules. A batch happens as a whole
 * or not at all.
 */
import type { Expression } from "./expressions.ts";
import {
  type Attribute,
  be32,
  bytes,
  type EncodedMessages,
  encodeMessages,
  flags,
  type Message,
  text,
  u32,
} from "./message.ts";

/** The `protocol` of a `netlink` step. */
export const netfilterProtocol = 12;

const subsystem = 10 << 8;
const batchBegin = 16;
const batchEnd = 17;
const types = {
  newTable: 0,
  getTable: 1,
  deleteTable: 2,
  newChain: 3,
  newRule: 6,
  deleteRule: 8,
  newSet: 9,
  newElements: 12,
  deleteElements: 14,
};
const families = { none: 0, ip: 2, ip6: 10 } as const;
const hooks = { prerouting: 0, forward: 2, output: 3, postrouting: 4 } as const;
const acceptPolicy = 1;
const setFlags = { interval: 0x4, map: 0x8 } as const;
const intervalEnd = 1;

/** What nft(8) calls the types of keys and values, so that it prints our sets as people write them. */
const dataTypes = {
  ipv4Address: { id: 7, size: 4 },
  ipv6Address: { id: 8, size: 16 },
  protocol: { id: 12, size: 4 },
  port: { id: 13, size: 4 },
  interfaceName: { id: 41, size: 16 },
} as const;
const concatenationBits = 6;
export type DataType = keyof typeof dataTypes;

/** Several of them, each padded to whole registers. */
export type DataShape = readonly DataType[];

const shapeId = (shape: DataShape): number =>
  shape.reduce((id, name) => (id << concatenationBits) | dataTypes[name].id, 0);
const shapeSize = (shape: DataShape): number => shape.reduce((sum, name) => sum + dataTypes[name].size, 0);

const header = (family: number, resource = 0): Uint8Array => Uint8Array.of(family, 0, resource >>> 8, resource);

/** Tables of different families may have the same name. */
export interface Table {
  readonly family: "ip" | "ip6";
  readonly name: string;
}

const change = (type: number, messageFlags: number, table: Table, attributes: readonly Attribute[] = []): Message => ({
  type: subsystem | type,
  flags: messageFlags,
  header: header(families[table.family]),
  attributes: [[1, text(table.name)], ...attributes],
});

const bracket = (type: number): Message => ({
  type,
  flags: 0,
  header: header(families.none, subsystem >>> 8),
  attributes: [],
});

/**
 * All of the changes, or none. The last one is acknowledged, which the kernel does only after the whole batch; an error
 * in any of them is answered in any case.
 */
export const encodeBatch = (changes: readonly Message[]): EncodedMessages =>
  encodeMessages([
    bracket(batchBegin),
    ...changes.map((message, index) =>
      index === changes.length - 1 ? { ...message, flags: message.flags | flags.acknowledge } : message,
    ),
    bracket(batchEnd),
  ]);

/** The table exists; what was in it stays. */
export const addTable = (table: Table): Message => change(types.newTable, flags.create, table);

/** With everything that is in it. */
export const deleteTable = (table: Table): Message => change(types.deleteTable, 0, table);

/** Changes nothing; an error (ENOENT) where there is no such table. */
export const encodeIsTable = (table: Table): EncodedMessages =>
  encodeMessages([change(types.getTable, flags.acknowledge, table)]);

export interface Hook {
  readonly type: "filter" | "nat";
  readonly hook: keyof typeof hooks;
  readonly priority: number;
}

/** The chain exists; with a hook, packets pass it, and go on where no rule decides. */
export const addChain = (table: Table, name: string, hook?: Hook): Message =>
  change(types.newChain, flags.create, table, [[3, text(name)], ...(hook === undefined ? [] : hookAttributes(hook))]);

const hookAttributes = (hook: Hook): Attribute[] => [
  [
    4,
    [
      [1, be32(hooks[hook.hook])],
      [2, be32(hook.priority)],
    ],
  ],
  [5, be32(acceptPolicy)],
  [7, text(hook.type)],
];

/** The chain has no rules. */
export const flushChain = (table: Table, chain: string): Message =>
  change(types.deleteRule, 0, table, [[2, text(chain)]]);

/** The chain has one rule more, at its end. */
export const addRule = (table: Table, chain: string, expressions: readonly Expression[]): Message =>
  change(types.newRule, flags.create | flags.append, table, [
    [2, text(chain)],
    [
      4,
      expressions.map(
        (expression): Attribute => [
          1,
          [
            [1, text(expression.name)],
            [2, expression.attributes],
          ],
        ],
      ),
    ],
  ]);

export interface SetShape {
  readonly key: DataShape;
  /** A map has values. */
  readonly value?: DataShape;
  /** Elements are ranges. */
  readonly interval?: boolean;
}

/** nft(8) prints keys in the machine's byte order only where this says so, and empty names otherwise (libnftnl's udata). */
const hostByteOrder = bytes(Uint8Array.of(0, 4), u32(1));

/** The set exists; its elements stay. `id` is a number of its own within the batch. */
export const addSet = (table: Table, name: string, id: number, shape: SetShape): Message =>
  change(types.newSet, flags.create, table, [
    [2, text(name)],
    [3, be32((shape.interval === true ? setFlags.interval : 0) | (shape.value === undefined ? 0 : setFlags.map))],
    [4, be32(shapeId(shape.key))],
    [5, be32(shapeSize(shape.key))],
    ...(shape.value === undefined
      ? []
      : ([
          [6, be32(shapeId(shape.value))],
          [7, be32(shapeSize(shape.value))],
        ] satisfies Attribute[])),
    [10, be32(id)],
    ...(shape.key.length === 1 && shape.key[0] === "interfaceName"
      ? ([[13, hostByteOrder]] satisfies Attribute[])
      : []),
  ]);

export interface SetElement {
  readonly key: Uint8Array;
  readonly value?: Uint8Array;
  /** The key is the first one after the range that started before. */
  readonly ends?: boolean;
}

const elementList = (set: string, elements: readonly SetElement[]): Attribute[] => [
  [2, text(set)],
  [
    3,
    elements.map((element): Attribute => {
      const value: Attribute[] = element.value === undefined ? [] : [[2, [[1, element.value]]]];
      const end: Attribute[] = element.ends === true ? [[3, be32(intervalEnd)]] : [];
      return [1, [[1, [[1, element.key]]], ...value, ...end]];
    }),
  ],
];

/** The set has the elements; those there before stay, and one there with another value is an error (EEXIST or EBUSY). */
export const addElements = (table: Table, set: string, elements: readonly SetElement[]): Message =>
  change(types.newElements, flags.create, table, elementList(set, elements));

/** The set has none of the elements; one not there before is an error (ENOENT). */
export const deleteElements = (table: Table, set: string, elements: readonly SetElement[]): Message =>
  change(types.deleteElements, 0, table, elementList(set, elements));

/** The set has no elements. */
export const flushSet = (table: Table, set: string): Message =>
  change(types.deleteElements, 0, table, [[2, text(set)]]);

/** A key or value of several parts. */
export const concatenation = (...parts: readonly Uint8Array[]): Uint8Array => {
  const padding = new Uint8Array(3);
  return bytes(...parts.flatMap((part) => [part, padding.subarray(0, (4 - (part.length & 3)) & 3)]));
};

/** The addresses from the first on, and before the end, as an element of a set of ranges; no end: up to the last there is. */
export const rangeElements = (first: Uint8Array, end: Uint8Array | undefined): SetElement[] => [
  { key: first },
  ...(end === undefined ? [] : [{ key: end, ends: true }]),
];
