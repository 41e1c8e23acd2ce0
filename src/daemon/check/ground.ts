/** Where trials are made: directories that go again, and a holder in whose mount namespace is nobody else. */
import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type { CgroupLayout } from "../../kernel/cgroup/layout.ts";
import { runErrand } from "../../kernel/errand.ts";
import { borrowHolder, type Holder } from "../../kernel/holder.ts";
import { StepFailure } from "../../kernel/keeper.ts";
import { errnoMessage } from "../../kernel/numbers/errno.ts";
import { type NamespaceKind, namespaceFlags, namespaces } from "../../kernel/numbers/namespaces.ts";
import { noSlot, type Plan, type Step } from "../../kernel/steps.ts";

/** Steps in the keeper, in a child in namespaces of its own, and behind both. */
export interface Trial {
  readonly namespaces?: readonly NamespaceKind[];
  readonly outside?: readonly Step[];
  readonly inside: readonly Step[];
  readonly after?: readonly Step[];
}

/** What the kernel said, and to which step: "mount: no such device". */
export interface Refusal {
  readonly errno: number;
  readonly text: string;
}

interface Place {
  /** Where a daemon would keep images and containers; need not be there. */
  readonly root: string;
  /** A directory on the file system of the root. */
  readonly store: string;
  /** A directory for what does not last. */
  readonly run: string;
  readonly cgroup: CgroupLayout;
}

/** The path itself, or the nearest directory above it that is there. */
export const nearestDirectory = (path: string): string => (existsSync(path) ? path : nearestDirectory(dirname(path)));

export class Ground implements AsyncDisposable {
  readonly place: Place;
  readonly holder: Holder;
  readonly #letGo: () => void;

  private constructor(place: Place, holder: Holder, letGo: () => void) {
    this.place = place;
    this.holder = holder;
    this.#letGo = letGo;
  }

  /** Rejects when there is no room for trials in the root's file system, or no keeper to make them. */
  static async open(root: string, keeperPath: string, cgroup: CgroupLayout): Promise<Ground> {
    const { holder, letGo } = await borrowHolder(keeperPath);
    const store = await mkdtemp(join(nearestDirectory(root), ".pier-check-"));
    const run = await mkdtemp(join(tmpdir(), "pier-check-"));
    return new Ground({ root, store, run, cgroup }, holder, letGo);
  }

  /** Undefined when every step was done. */
  async try(trial: Trial): Promise<Refusal | undefined> {
    const { holder } = this;
    const kinds = namespaceFlags(["mount", ...(trial.namespaces ?? [])]);
    const plan: Plan = {
      outside: [
        ...(trial.outside ?? []),
        { step: "joinNamespace", path: holder.namespace, kind: namespaces.mount.flag },
        { step: "clone", namespaces: kinds, cgroup: noSlot },
      ],
      inside: trial.inside,
      after: trial.after ?? [],
    };
    try {
      await runErrand(holder, this.place.run, plan);
      return undefined;
    } catch (error) {
      if (!(error instanceof StepFailure)) throw error;
      const step = plan[error.lane][error.index]?.step ?? "the plan";
      return { errno: error.errno, text: `${step}: ${errnoMessage(error.errno)}` };
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#letGo();
    for (const directory of [this.place.store, this.place.run]) await rm(directory, { recursive: true, force: true });
  }
}
