/** What others do to the host's networking, as a keeper hears it from the kernel. */
import { join } from "node:path";
import { PlanFile } from "./errand.ts";
import type { Holder } from "./holder.ts";
import { Keeper } from "./keeper.ts";
import type { Plan } from "./steps.ts";

export interface Changes {
  /** The numbers of interfaces that are gone, were taken down, or have left their bridge. */
  readonly links: ReadonlySet<number>;
  /** There were more than could be told: any may be. */
  readonly anyLink: boolean;
  /** The table's rules are not what they were, by somebody else's doing. */
  readonly ownRules: boolean;
  /** Nor are others' rules. */
  readonly otherRules: boolean;
}

/** keeper/hear.c has the same. */
const bits = { anyLink: 1, ownRules: 2, otherRules: 4 } as const;

/** Milliseconds: what happens together is told once. */
const pause = 200;

export interface ChangeListener {
  /** Resolves when nothing more is heard, whatever ended it. */
  readonly ended: Promise<void>;
  close(): void;
}

/**
 * Calls the listener after every change to interfaces and to the packet filter, and first of all with none: from then on
 * no change is missed. `table` is the name of ours.
 */
export const listenForChanges = (
  holder: Holder,
  directory: string,
  table: string,
  listener: (changes: Changes) => void,
): ChangeListener => {
  const plan: Plan = { outside: [{ step: "hearChanges", table, pause }], inside: [], after: [] };
  const file = new PlanFile(join(directory, "changes"), plan);
  const keeper = Keeper.launch(holder, file.path);
  const hear = async (): Promise<void> => {
    for await (const bytes of keeper.stream(0)) {
      const words = Buffer.from(bytes);
      const heard = words.readUInt32LE(0);
      const links = Array.from({ length: words.length / 4 - 1 }, (_, index) => words.readUInt32LE(4 * (index + 1)));
      listener({
        links: new Set(links),
        anyLink: (heard & bits.anyLink) !== 0,
        ownRules: (heard & bits.ownRules) !== 0,
        otherRules: (heard & bits.otherRules) !== 0,
      });
    }
  };
  const ended = hear().finally(() => file[Symbol.dispose]());
  keeper.exited.catch(() => {});
  return { ended, close: () => keeper.leave() };
};
