/**
 * A filter as a graph of decisions. Equal parts are one node, so that what does not matter for the answer costs nothing:
 * a test whose two outcomes are the same is none.
 */
import type { Action } from "./actions.ts";

export type Node =
  | { readonly kind: "return"; readonly action: Action }
  /** A word of struct seccomp_data becomes what is tested. */
  | { readonly kind: "load"; readonly offset: number; readonly next: Node }
  | { readonly kind: "mask"; readonly mask: number; readonly next: Node }
  | { readonly kind: "test"; readonly test: Test; readonly value: number; readonly yes: Node; readonly no: Node };

export type Test = "equal" | "greater" | "atLeast";

export class Graph {
  readonly #nodes = new Map<string, Node>();
  readonly #ids = new Map<Node, number>();

  return(action: Action): Node {
    return this.#one(`return ${action}`, { kind: "return", action });
  }

  load(offset: number, next: Node): Node {
    // What begins with a load of its own, or needs none, does not care what was loaded before.
    if (next.kind === "return" || next.kind === "load") return next;
    return this.#one(`load ${offset} ${this.#ids.get(next)}`, { kind: "load", offset, next });
  }

  mask(mask: number, next: Node): Node {
    if (next.kind === "return" || next.kind === "load") return next;
    return this.#one(`mask ${mask} ${this.#ids.get(next)}`, { kind: "mask", mask, next });
  }

  test(test: Test, value: number, yes: Node, no: Node): Node {
    if (yes === no) return yes;
    const key = `${test} ${value} ${this.#ids.get(yes)} ${this.#ids.get(no)}`;
    return this.#one(key, { kind: "test", test, value, yes, no });
  }

  #one(key: string, node: Node): Node {
    const known = this.#nodes.get(key);
    if (known !== undefined) return known;
    this.#nodes.set(key, node);
    this.#ids.set(node, this.#ids.size);
    return node;
  }
}
