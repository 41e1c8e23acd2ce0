/** The whole request that `run` and `create` send, with the checks that come before it. */
import type { ContainerCreateBody } from "../../api/types.ts";
import { files } from "../../base/files.ts";
import { Failure } from "../failure.ts";
import type { Parsed } from "../flags.ts";
import { formatPlatform, parsePlatform } from "../values/platform.ts";
import { checkImage } from "../values/reference.ts";
import { planBody } from "./body.ts";
import { createError } from "./errors.ts";
import type { containerFlags } from "./flags.ts";

export interface CreateRequest {
  readonly name: string;
  readonly platform: string;
  readonly body: ContainerCreateBody;
}

type Given = Pick<Parsed<typeof containerFlags>, "values" | "positional"> & { readonly given: ReadonlySet<string> };

const windowsFlags = ["cpu-count", "cpu-percent", "io-maxbandwidth", "io-maxiops"];
const pulls = ["always", "missing", "never"];

/** What is wrong with the words alone. In `run`, and in `create`, these are told with a hint at the help. */
export const planContainer = (given: Given): ContainerCreateBody => {
  const option = given.values.pull;
  if (option !== "" && !pulls.includes(option)) throw createError("pullOption", { option });
  return planBody(given);
};

/** What is told without the hint in `create`: the image's name, the platform, the file for the id. */
export const planRequest = ({ values: flags }: Pick<Given, "values">, body: ContainerCreateBody): CreateRequest => {
  if (flags.cidfile !== "" && files().existsSync(flags.cidfile))
    throw createError("idFileExists", { path: flags.cidfile });
  checkImage(body.Image ?? "");
  const platform = flags.platform === "" ? "" : formatPlatform(parsePlatform(flags.platform));
  return { name: flags.name, platform, body };
};

/** Throws for the flags that only Docker on Windows knows, where they were given, in its words. */
export const refuseWindows = (given: ReadonlySet<string>): void => {
  const refused = windowsFlags.filter((name) => given.has(name));
  if (refused.length > 0)
    throw new Failure(refused.map((flag) => createError("windowsOnly", { flag }).message).join("\n"));
};
