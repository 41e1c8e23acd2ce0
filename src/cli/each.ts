/** The same for each name, as commands on several containers do it. */
import { Failure, messageOf } from "./failure.ts";
import { print } from "./streams/output.ts";

/** Requests that are under way at the same time. */
const MOST = 50;

/** Holds afterwards: all names were tried, and for those that went well the text that `action` answers, or the name, is printed; throws what went wrong with the others. */
export const forEach = async (
  names: readonly string[],
  action: (name: string) => Promise<unknown>,
  { atOnce = MOST, ending = "" }: { readonly atOnce?: number; readonly ending?: string } = {},
): Promise<number> => {
  const failures: string[] = [];
  const failed: string[] = [];
  const running = new Set<Promise<unknown>>();
  const start = async (name: string): Promise<string | undefined> => {
    try {
      const answer = await action(name);
      return typeof answer === "string" ? answer : name;
    } catch (error) {
      failures.push(messageOf(error));
      failed.push(name);
      return undefined;
    }
  };
  // Lines come in the order of the names, each as soon as it may.
  let printed = Promise.resolve();
  for (const name of names) {
    if (running.size >= atOnce) await Promise.race(running);
    const result = start(name);
    running.add(result);
    void result.then(() => running.delete(result));
    printed = printed.then(async () => {
      const line = await result;
      if (line) print(`${line}\n`);
    });
  }
  await printed;
  if (failures.length === 0) return 0;
  throw new Failure([...failures, ...(ending === "" ? [] : [ending + failed.join(", ")])].join("\n"));
};
