/** What is asked of a build, whoever asked: parsed and checked. */
import type { Credentials } from "../registry/credentials.ts";
import type { Agents } from "./agents.ts";
import type { CacheExport, CacheImport } from "./cache-request.ts";
import type { Context } from "./context.ts";
import type { NamedContextTable } from "./named-contexts.ts";
import type { BuildOutput } from "./outputs.ts";
import type { BuildPlatform } from "./platform.ts";
import type { SecretFinder } from "./secrets.ts";

export interface BuildRequest {
  readonly context: Context;
  readonly contexts: NamedContextTable;
  readonly dockerfile: { readonly name: string; readonly text: string };
  /** "": the last stage. */
  readonly target: string;
  readonly args: ReadonlyMap<string, string>;
  readonly labels: Readonly<Record<string, string>>;
  /** None: only the cache is left of it. */
  readonly outputs: readonly BuildOutput[];
  /** Whose steps are all made anew: every stage's, or those of the stages with these names. */
  readonly noCache: "all" | readonly string[];
  readonly cacheFrom: readonly CacheImport[];
  readonly cacheTo: readonly CacheExport[];
  /** What is added to the base is one layer. */
  readonly squash: boolean;
  /** Bases are asked for though they are here. */
  readonly pull: boolean;
  /** Who the client is at the registry of this domain, for bases that are not here. */
  readonly credentials: (domain: string) => Promise<Credentials | undefined>;
  /** At least one: each has an image of its own. */
  readonly platforms: readonly BuildPlatform[];
  /** Asked when a step needs some: their names may be variables, and their steps a base's. */
  readonly secrets: SecretFinder;
  /** What steps may do that they may not by themselves. */
  readonly allowed: ReadonlySet<string>;
  readonly agents: Agents;
  /** For the programs that RUN starts: a part of a body of `POST /containers/create`. */
  readonly host: Readonly<Record<string, unknown>>;
}
