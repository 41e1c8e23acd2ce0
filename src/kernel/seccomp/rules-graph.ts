/** From rules to the graph of a filter: architecture, then number, then arguments. Pure. */
import type { Abi } from "./abis.ts";
import { type Action, killProcess } from "./actions.ts";
import { assemble } from "./assemble.ts";
import { Graph, type Node } from "./graph.ts";
import type { AbiRules, Decision, HostCondition } from "./rules.ts";

/** linux/seccomp.h: struct seccomp_data, on a little-endian machine. */
const dataOffset = {
  number: 0,
  architecture: 4,
  low: (argument: number) => 16 + 8 * argument,
  high: (argument: number) => 20 + 8 * argument,
} as const;

const invalidNumber = 0xffff_ffff;

/** The filter's instructions: struct sock_filter, eight bytes each. Same rules, same bytes. */
export const compileRules = (rules: readonly AbiRules[]): Uint8Array => {
  const graph = new Graph();
  const architectures = [...new Set(rules.map(({ abi }) => abi.auditArch))];
  // The architecture comes first: a number means nothing without it, and a program can change it at any call.
  const root = architectures.reduceRight<Node>(
    (others, architecture) =>
      graph.test("equal", architecture, planArchitecture(graph, rulesOf(rules, architecture)), others),
    graph.return(killProcess),
  );
  return assemble(graph.load(dataOffset.architecture, root));
};

const rulesOf = (rules: readonly AbiRules[], architecture: number): readonly AbiRules[] =>
  rules.filter(({ abi }) => abi.auditArch === architecture).sort((a, b) => a.abi.first - b.abi.first);

/** From this number on, up to the next segment. */
interface Segment {
  readonly from: number;
  readonly node: Node;
}

const planArchitecture = (graph: Graph, rules: readonly AbiRules[]): Node => {
  const segments = rules.flatMap((abiRules) => [
    ...planSegments(graph, abiRules),
    ...(abiRules.abi.last < invalidNumber ? [{ from: abiRules.abi.last + 1, node: graph.return(killProcess) }] : []),
  ]);
  // A call with the number -1 is how a tracer says "skip this one": not a program gone astray.
  const minusOne = { from: invalidNumber, node: graph.return(rules[0]!.afterNewest) };
  return graph.load(dataOffset.number, planSearch(graph, merge([...segments, minusOne])));
};

/** The answers of an ABI, in the order of the numbers. */
const planSegments = (graph: Graph, { abi, decisions, otherwise, newest, afterNewest }: AbiRules): Segment[] => {
  const rest = (number: number): Action => (number <= newest ? otherwise : afterNewest);
  const segments: Segment[] = [{ from: abi.first, node: graph.return(rest(abi.first)) }];
  for (const [number, decision] of [...decisions].sort(([a], [b]) => a - b)) {
    segments.push({ from: number, node: planDecision(graph, decision) });
    if (isWithin(abi, number + 1)) segments.push({ from: number + 1, node: graph.return(rest(number + 1)) });
  }
  return segments;
};

const isWithin = ({ last }: Abi, number: number): boolean => number <= last;

/** Of two segments that begin at the same number the later counts; neighbours with the same answer become one. */
const merge = (segments: readonly Segment[]): readonly Segment[] => {
  const merged: Segment[] = [];
  for (const segment of segments) {
    if (merged.at(-1)?.from === segment.from) merged.pop();
    if (merged.at(-1)?.node !== segment.node) merged.push(segment);
  }
  return merged;
};

/** A binary search: about eight comparisons for all numbers there are. */
const planSearch = (graph: Graph, segments: readonly Segment[]): Node => {
  if (segments.length === 1) return segments[0]!.node;
  const middle = segments.length >> 1;
  const { from } = segments[middle]!;
  return graph.test(
    "atLeast",
    from,
    planSearch(graph, segments.slice(middle)),
    planSearch(graph, segments.slice(0, middle)),
  );
};

const planDecision = (graph: Graph, { cases, otherwise }: Decision): Node =>
  cases.reduceRight<Node>(
    (next, { conditions, action }) =>
      conditions.reduceRight<Node>(
        (yes, condition) => planCondition(graph, condition, yes, next),
        graph.return(action),
      ),
    graph.return(otherwise),
  );

const lowOf = (value: bigint): number => Number(value & 0xffff_ffffn);
const highOf = (value: bigint): number => Number(value >> 32n);

/** 64 bits in two halves: the upper one decides, unless it is equal. */
const planCondition = (graph: Graph, condition: HostCondition, yes: Node, no: Node): Node => {
  const { index, comparison, value, isInt } = condition;
  const low = (node: Node) => graph.load(dataOffset.low(index), node);
  const high = (node: Node) => (isInt ? undefined : graph.load(dataOffset.high(index), node));
  switch (comparison) {
    case "NE":
      return planCondition(graph, { ...condition, comparison: "EQ" }, no, yes);
    case "LT":
      return planCondition(graph, { ...condition, comparison: "GE" }, no, yes);
    case "LE":
      return planCondition(graph, { ...condition, comparison: "GT" }, no, yes);
    case "EQ": {
      const lower = low(graph.test("equal", lowOf(value), yes, no));
      return high(graph.test("equal", highOf(value), lower, no)) ?? lower;
    }
    case "GT":
    case "GE": {
      const lower = low(graph.test(comparison === "GT" ? "greater" : "atLeast", lowOf(value), yes, no));
      const upper = graph.test("greater", highOf(value), yes, graph.test("equal", highOf(value), lower, no));
      return high(upper) ?? lower;
    }
    case "MASKED_EQ": {
      const mask = condition.mask ?? 0xffff_ffff_ffff_ffffn;
      const half = (bits: number, wanted: number, then: Node) =>
        bits === 0 ? then : graph.mask(bits, graph.test("equal", wanted, then, no));
      const lower = lowOf(mask) === 0 ? yes : low(half(lowOf(mask), lowOf(value & mask), yes));
      return highOf(mask) === 0 ? lower : (high(half(highOf(mask), highOf(value & mask), lower)) ?? lower);
    }
  }
};
