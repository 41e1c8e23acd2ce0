/** The words that name runtimes: `NAME=PATH`, or `NAME={…}` with what daemon.json says of one. Pure. */
import { list, object, string } from "../api/shape.ts";
import { isReservedRuntime, ownRuntime, type RuntimeProgram, type RuntimeSettings } from "../container/runtimes.ts";
import { daemonError } from "./errors.ts";

/** `path` and `runtimeArgs`; a `runtimeType` (a shim of containerd's) is refused. */
export const runtimeSettings = object({
  path: string,
  runtimeArgs: list(string),
  runtimeType: string,
});

export const parseRuntimes = (words: readonly string[], usual = ownRuntime): RuntimeSettings => {
  const programs = new Map(words.map(parseRuntime));
  if (!isReservedRuntime(usual) && !programs.has(usual)) throw daemonError("noDefaultRuntime", { name: usual });
  return { programs, default: usual };
};

const parseRuntime = (word: string): readonly [string, RuntimeProgram] => {
  const [, name = "", program = ""] = /^([^=]*)=(.*)$/s.exec(word) ?? [];
  if (!/^[\w][\w.-]*$/.test(name) || program === "") throw daemonError("badRuntime", { text: word });
  if (isReservedRuntime(name)) throw daemonError("reservedRuntime", { name });
  return [name, program.startsWith("{") ? parseSettings(name, program) : { path: program, args: [] }];
};

const parseSettings = (name: string, json: string): RuntimeProgram => {
  const bad = (cause?: unknown): Error => daemonError("badRuntime", { text: `${name}=${json}` }, cause);
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch (cause) {
    throw bad(cause);
  }
  const { path, runtimeArgs, runtimeType } = runtimeSettings(value, `runtimes.${name}`);
  if (runtimeType) throw daemonError("runtimeType", { name });
  if (!path) throw bad();
  return { path, args: runtimeArgs };
};
