/** A parsed template. Every node knows where it begins and how errors write it. */

export type Operand =
  | { readonly kind: "dot" }
  | { readonly kind: "nil" }
  | { readonly kind: "boolean"; readonly value: boolean }
  | { readonly kind: "number"; readonly value: bigint | number }
  | { readonly kind: "string"; readonly value: string }
  | { readonly kind: "field"; readonly names: readonly string[] }
  | { readonly kind: "variable"; readonly name: string; readonly names: readonly string[] }
  | { readonly kind: "function"; readonly name: string }
  | { readonly kind: "pipe"; readonly pipe: Pipe }
  | { readonly kind: "chain"; readonly operand: Node<Operand>; readonly names: readonly string[] };

export type Node<T> = T & { readonly at: number; readonly shown: string };
export type OperandNode = Node<Operand>;

/** Words that are called or, when there is but one, looked up. */
export type Command = Node<{ readonly words: readonly OperandNode[] }>;

export interface Pipe {
  /** Names that get the value, with their `$`; more than one only in `range`. */
  readonly variables: readonly string[];
  readonly assigns: boolean;
  readonly commands: readonly Command[];
  readonly at: number;
  readonly shown: string;
}

export type Statement =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "action"; readonly pipe: Pipe }
  | {
      readonly kind: "if" | "with" | "range";
      readonly pipe: Pipe;
      readonly body: readonly Statement[];
      readonly otherwise: readonly Statement[] | undefined;
    }
  | { readonly kind: "break" | "continue" };

export interface Tree {
  readonly name: string;
  readonly text: string;
  readonly body: readonly Statement[];
}
