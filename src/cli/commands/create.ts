/** `pier create` */
import type { ContainerCreateBody } from "../../api/types.ts";
import { command } from "../command.ts";
import { createContainer } from "../create/create.ts";
import { containerFlags } from "../create/flags.ts";
import { planContainer, planRequest, refuseWindows } from "../create/request.ts";
import { Failure, messageOf } from "../failure.ts";
import type { Parsed } from "../flags.ts";
import { print } from "../streams/output.ts";

/** Docker's exit code for a container that it could not make. */
const NOT_RUN = 125;

type Given = Parsed<typeof containerFlags>;

/** What went wrong before a container ran, told as `run` and `create` tell it. */
export const startFailure = (error: unknown, name: string, exitCode = NOT_RUN): Failure =>
  new Failure(`pier: ${messageOf(error)}\n\nRun 'pier ${name} --help' for more information`, exitCode, error);

/** The body of the request; throws with a hint at the help of `name`. */
export const readWords = (
  call: Pick<Given, "values" | "positional"> & { readonly given: ReadonlySet<string> },
  name: string,
): ContainerCreateBody => {
  refuseWindows(call.given);
  try {
    return planContainer(call);
  } catch (error) {
    throw startFailure(error, name);
  }
};

export const create = command({
  usage: "[OPTIONS] IMAGE [COMMAND] [ARG...]",
  flags: containerFlags,
  least: 1,
  most: Number.POSITIVE_INFINITY,
  stopAtFirst: true,
  run: async (call) => {
    const request = planRequest(call, readWords(call, "create"));
    const { pull, quiet, cidfile } = call.values;
    print(`${await createContainer(call.client, request, { pull, quiet, idFile: cidfile })}\n`);
  },
});
