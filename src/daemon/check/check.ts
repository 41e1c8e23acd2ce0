/** What is looked at to say whether pier can run on a host, and what is found. */
import type { Ground } from "./ground.ts";

export type Finding =
  | { readonly works: true; readonly found: string }
  | {
      readonly works: false;
      readonly found: string;
      /** Something to type or to change; empty where nothing helps but another kernel. */
      readonly remedy: string;
    };

export interface Check {
  readonly name: string;
  /** What cannot be had where this does not work. */
  readonly serves: string;
  /** No container runs without it. */
  readonly needed: boolean;
  /** Tries it. The host is afterwards as it was, but for modules that the kernel has loaded. */
  look(ground: Ground): Promise<Finding>;
}

export interface Looked {
  readonly topic: string;
  readonly check: Check;
  readonly finding: Finding;
}

export const works = (found: string): Finding => ({ works: true, found });
export const fails = (found: string, remedy: string): Finding => ({ works: false, found, remedy });

/** Every check, one after the other, in the table's order. */
export const lookAtAll = async (
  topics: Readonly<Record<string, readonly Check[]>>,
  ground: Ground,
): Promise<readonly Looked[]> => {
  const all: Looked[] = [];
  for (const [topic, checks] of Object.entries(topics))
    for (const check of checks) all.push({ topic, check, finding: await check.look(ground) });
  return all;
};

export const canRun = (all: readonly Looked[]): boolean =>
  all.every(({ check, finding }) => finding.works || !check.needed);
