/** What is to be done for a part of the kernel that is not there. */
import { readFileSync } from "node:fs";
import { release } from "node:os";

/** The names in modules.dep(5): what can be loaded, and what has been built in. */
export const parseModules = (text: string): ReadonlySet<string> =>
  new Set(
    text.split("\n").flatMap((line) => /([^/]+)\.ko(?:\.\w+)?(?::|$)/.exec(line)?.[1]?.replaceAll("-", "_") ?? []),
  );

const modulesOf = (): ReadonlySet<string> => {
  try {
    return parseModules(readFileSync(`/lib/modules/${release()}/modules.dep`, "utf8"));
  } catch {
    return new Set();
  }
};

/** The kernel loads most modules by itself when it may; where it did not, somebody has to. */
export const moduleRemedy = (name: string, option: string, loadable = modulesOf()): string =>
  loadable.has(name) ? `modprobe ${name}` : `a kernel with ${option}`;
