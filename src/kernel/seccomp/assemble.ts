/** Lays a graph out as instructions of classic BPF (linux/filter.h, linux/bpf_common.h). Pure. */
import { seccompError } from "./errors.ts";
import type { Node, Test } from "./graph.ts";

const opcode = {
  load: 0x20, // BPF_LD | BPF_W | BPF_ABS
  mask: 0x54, // BPF_ALU | BPF_AND | BPF_K
  jump: 0x05, // BPF_JMP | BPF_JA
  return: 0x06, // BPF_RET | BPF_K
} as const;

/** BPF_JMP | … | BPF_K */
const testOpcode: Readonly<Record<Test, number>> = { equal: 0x15, greater: 0x25, atLeast: 0x35 };

const instructionLimit = 4096; // linux/bpf_common.h: BPF_MAXINSNS
const farthest = 255; // how far a conditional jump reaches

interface Instruction {
  readonly code: number;
  readonly jumpTrue: number;
  readonly jumpFalse: number;
  readonly value: number;
}

const checkLength = (length: number): void => {
  if (length > instructionLimit) throw seccompError("filterTooLong", { length, limit: instructionLimit });
};

const countNodes = (root: Node): number => {
  const found = new Set([root]);
  for (const node of found) {
    if (node.kind === "load" || node.kind === "mask") found.add(node.next);
    if (node.kind === "test") found.add(node.yes).add(node.no);
  }
  return found.size;
};

/**
 * Jumps lead forwards only, so the program is written from its end: whatever an instruction jumps to has its place
 * already. Places are counted from the end too.
 */
class Program {
  readonly #reversed: Instruction[] = [];
  readonly #places = new Map<Node, number>();

  /** Where the node stands; it is laid out if it has no place yet. */
  place(node: Node): number {
    const known = this.#places.get(node);
    if (known !== undefined) return known;
    const place = this.#layOut(node);
    this.#places.set(node, place);
    return place;
  }

  #layOut(node: Node): number {
    switch (node.kind) {
      case "return":
        return this.#push(opcode.return, node.action);
      case "load":
        this.#continueWith(node.next);
        return this.#push(opcode.load, node.offset);
      case "mask":
        this.#continueWith(node.next);
        return this.#push(opcode.mask, node.mask);
      case "test": {
        this.place(node.no);
        this.place(node.yes);
        // A bridge to one of them may move the other out of reach.
        while (!this.#isNear(node.yes) || !this.#isNear(node.no)) {
          this.#bring(this.#isNear(node.yes) ? node.no : node.yes);
        }
        return this.#push(testOpcode[node.test], node.value, this.#distance(node.yes), this.#distance(node.no));
      }
    }
  }

  /** How many instructions lie between the next one and the node. */
  #distance(node: Node): number {
    return this.#reversed.length - 1 - this.place(node);
  }

  #isNear(node: Node): boolean {
    return this.#distance(node) <= farthest;
  }

  /** The node has a place close by: a copy, where it is one instruction only, or a jump to it. */
  #bring(node: Node): void {
    const place =
      node.kind === "return" ? this.#push(opcode.return, node.action) : this.#push(opcode.jump, this.#distance(node));
    this.#places.set(node, place);
  }

  #continueWith(node: Node): void {
    this.place(node);
    if (this.#distance(node) > 0) this.#bring(node);
  }

  #push(code: number, value: number, jumpTrue = 0, jumpFalse = 0): number {
    this.#reversed.push({ code, jumpTrue, jumpFalse, value });
    return this.#reversed.length - 1;
  }

  encode(): Uint8Array {
    const length = this.#reversed.length;
    checkLength(length);
    const bytes = new Uint8Array(length * 8);
    const view = new DataView(bytes.buffer);
    for (const [at, { code, jumpTrue, jumpFalse, value }] of this.#reversed.toReversed().entries()) {
      view.setUint16(at * 8, code, true);
      view.setUint8(at * 8 + 2, jumpTrue);
      view.setUint8(at * 8 + 3, jumpFalse);
      view.setUint32(at * 8 + 4, value, true);
    }
    return bytes;
  }
}

/** The program that begins at the node. */
export const assemble = (root: Node): Uint8Array => {
  // A node is one instruction or more: what cannot fit is refused before laying it out goes too deep.
  checkLength(countNodes(root));
  const program = new Program();
  program.place(root);
  return program.encode();
};
