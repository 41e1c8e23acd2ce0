/** Trees of files that are taken away. To make a process costs more than most of them: whoever has removed one stays for the next. */
import { rmSync, writeFileSync } from "node:fs";
import { errorsFrom } from "../base/errors.ts";
import { encodePlan } from "./encode.ts";
import { PlanFile } from "./errand.ts";
import { kernelErrors } from "./errors.ts";
import type { Holder, Holding } from "./holder.ts";
import { Keeper, StepFailure } from "./keeper.ts";
import { errnos } from "./numbers/errno.ts";
import type { Plan, Step } from "./steps.ts";

const kernelError = errorsFrom(kernelErrors);

/** Milliseconds for which a keeper waits for another tree. */
const usualPatience = 1000;
/** Keepers that wait: as many removals as are mostly under way at once. */
const mostIdle = 8;

const planOf = (...outside: readonly Step[]): Plan => ({ outside, inside: [], after: [] });
const removal = (path: string): Step => ({ step: "removeTree", path, tolerate: [errnos.ENOENT.number] });

/** A keeper that removes one tree after the other. */
class Remover {
  readonly #keeper: Keeper;
  readonly #plan: string;
  #leaving: NodeJS.Timeout | undefined;
  /** It has left, or was killed. */
  isGone = false;

  private constructor(keeper: Keeper, plan: string) {
    this.#keeper = keeper;
    this.#plan = plan;
    void keeper.closed.then(() => {
      this.isGone = true;
    });
  }

  /** Holds afterwards: nothing stands at the path; whoever has removed it is answered. */
  static async launch(holder: Holder, directory: string, path: string): Promise<Remover> {
    // The file is read when it has begun; those of further plans come to the same place.
    using file = PlanFile.ofErrand(directory, planOf(removal(path), { step: "stay" }));
    const keeper = Keeper.launch(holder, file.path);
    await keeper.started;
    return new Remover(keeper, file.path);
  }

  async remove(path: string): Promise<void> {
    clearTimeout(this.#leaving);
    const next = `${this.#plan}.next`;
    writeFileSync(next, encodePlan(planOf(removal(path))), { mode: 0o600 });
    const { errno, step } = await this.#keeper.change();
    // What was done has taken the first one's name.
    rmSync(errno === 0 ? this.#plan : next, { force: true });
    if (errno === errnos.ESRCH.number) throw kernelError("keeperLost", {});
    if (errno !== 0) throw new StepFailure("outside", step, errno);
  }

  /** It leaves after so many milliseconds, unless there is another tree. */
  rest(patience: number): void {
    this.#leaving = setTimeout(() => this.leave(), patience).unref();
  }

  leave(): void {
    clearTimeout(this.#leaving);
    this.#keeper.leave();
  }
}

export class TreeRemovals {
  readonly #holder: Holder & Pick<Holding, "wake">;
  readonly #directory: string;
  readonly #patience: number;
  #idle: Remover[] = [];

  /** Plans lie in the directory as long as they are run. */
  constructor(holder: Holder & Pick<Holding, "wake">, directory: string, patience = usualPatience) {
    this.#holder = holder;
    this.#directory = directory;
    this.#patience = patience;
  }

  /** Holds afterwards: nothing stands at the path. Rejects with a `StepFailure`, or when the keeper was killed. */
  async remove(path: string): Promise<void> {
    this.#idle = this.#idle.filter(({ isGone }) => !isGone);
    const remover = this.#idle.pop();
    if (remover === undefined) {
      await this.#holder.wake();
      this.#keep(await Remover.launch(this.#holder, this.#directory, path));
      return;
    }
    try {
      await remover.remove(path);
    } finally {
      this.#keep(remover);
    }
  }

  /** Holds afterwards: nobody waits for another tree. */
  close(): void {
    for (const remover of this.#idle.splice(0)) remover.leave();
  }

  #keep(remover: Remover): void {
    if (this.#idle.length < mostIdle) {
      this.#idle.push(remover);
      remover.rest(this.#patience);
    } else {
      remover.leave();
    }
  }
}
