/** Errands about one layer, and what is said when one fails. */
import type { StackLayer } from "../image/layers.ts";
import { runErrand } from "../kernel/errand.ts";
import type { Holder } from "../kernel/holder.ts";
import { StepFailure } from "../kernel/keeper.ts";
import { errnoMessage } from "../kernel/numbers/errno.ts";
import type { Plan } from "../kernel/steps.ts";
import { containerError } from "./errors.ts";

/** Runs the plan to its end; throws a sentence that names the layer. */
export const runForLayer = async (holder: Holder, run: string, { diffId }: StackLayer, plan: Plan): Promise<void> => {
  try {
    await runErrand(holder, run, plan);
  } catch (error) {
    if (!(error instanceof StepFailure)) throw error;
    const step = plan[error.lane][error.index]?.step ?? "the plan";
    throw containerError("layerUnmountable", { diffId, reason: `${step}: ${errnoMessage(error.errno)}` }, error);
  }
};
