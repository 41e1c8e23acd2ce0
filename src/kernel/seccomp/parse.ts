/** Reads a user's profile: Docker's JSON format, also in its older form (`architectures`, `name`). */

import { abis, foreignAbis } from "./abis.ts";
import { type Action, findAction } from "./actions.ts";
import { seccompError } from "./errors.ts";
import {
  type Circumstances,
  type Comparison,
  type Condition,
  defaultFlags,
  filterFlags,
  type Profile,
  type ProfileRule,
} from "./profile.ts";

type Fields = Readonly<Record<string, unknown>>;

const fail = (reason: string, cause?: unknown): never => {
  throw seccompError("invalidProfile", { reason }, cause);
};

/** Parses a profile; unknown fields are left alone, as Docker does, unknown words are not. */
export const parseProfile = (text: string): Profile => {
  const profile = fields(parseJson(text), "the profile");
  if (profile.listenerPath) fail("listenerPath: no agent can be asked yet");
  return {
    otherwise: action(profile.defaultAction, profile.defaultErrnoRet, "defaultAction"),
    architectures: parseArchitectures(profile),
    rules: list(profile.syscalls, "syscalls").flatMap((rule, at) => parseRule(rule, `syscalls[${at}]`)),
    flags: parseFlags(profile.flags),
  };
};

/** Numbers above 2^53 keep all their digits, as bigints. */
const parseJson = (text: string): unknown => {
  const exact = (_: string, value: unknown, context?: { readonly source?: string }): unknown =>
    typeof value === "number" && !Number.isSafeInteger(value) && /^\d+$/.test(context?.source ?? "")
      ? BigInt(context!.source!)
      : value;
  try {
    return JSON.parse(text, exact);
  } catch (cause) {
    return fail(cause instanceof Error ? cause.message : String(cause), cause);
  }
};

const fields = (value: unknown, what: string): Fields =>
  typeof value === "object" && value !== null && !Array.isArray(value)
    ? (value as Fields)
    : fail(`${what} must be an object`);

const list = (value: unknown, what: string): readonly unknown[] => {
  if (value === undefined || value === null) return [];
  return Array.isArray(value) ? value : fail(`${what} must be a list`);
};

const string = (value: unknown, what: string): string =>
  typeof value === "string" ? value : fail(`${what} must be a string`);

const strings = (value: unknown, what: string): readonly string[] =>
  list(value, what).map((item, at) => string(item, `${what}[${at}]`));

const errnoMax = 4095; // linux/err.h: MAX_ERRNO

const action = (name: unknown, errnoRet: unknown, what: string): Action => {
  const number = errnoRet === undefined || errnoRet === null ? 1n : wholeNumber(errnoRet, `${what}'s errnoRet`);
  if (number > errnoMax) fail(`${what}: there is no error number ${number}`);
  return findAction(string(name, what), Number(number)) ?? fail(`${what}: unknown action ${String(name)}`);
};

const wholeNumber = (value: unknown, what: string): bigint => {
  if (typeof value === "bigint" && value <= 0xffff_ffff_ffff_ffffn) return value;
  if (typeof value === "number" && Number.isSafeInteger(value) && value >= 0) return BigInt(value);
  return fail(`${what} must be a whole number of 64 bits`);
};

const parseArchitectures = (profile: Fields): Profile["architectures"] => {
  const plain = strings(profile.architectures, "architectures").map(knownArchitecture);
  const map = list(profile.archMap, "archMap").map((entry, at) => {
    const { architecture, subArchitectures } = fields(entry, `archMap[${at}]`);
    const name = knownArchitecture(string(architecture, `archMap[${at}].architecture`));
    return [name, strings(subArchitectures, `archMap[${at}].subArchitectures`).map(knownArchitecture)] as const;
  });
  if (plain.length > 0 && map.length > 0) {
    fail("use either 'architectures' or 'archMap'");
  }
  return plain.length > 0 ? Object.fromEntries(plain.map((name) => [name, plain])) : Object.fromEntries(map);
};

const knownArchitecture = (name: string): string =>
  Object.hasOwn(abis, name) || foreignAbis.has(name) ? name : fail(`unknown architecture ${name}`);

const parseFlags = (value: unknown): number =>
  value === undefined || value === null
    ? defaultFlags
    : strings(value, "flags").reduce((flags, name) => {
        if (!Object.hasOwn(filterFlags, name)) fail(`unknown flag ${name}`);
        return flags | filterFlags[name as keyof typeof filterFlags];
      }, 0);

const parseRule = (value: unknown, what: string): readonly ProfileRule[] => {
  const rule = fields(value, what);
  const names = strings(rule.names, `${what}.names`);
  if (rule.name && names.length > 0) fail(`${what}: use either 'name' or 'names'`);
  const parsed = {
    names: rule.name ? [string(rule.name, `${what}.name`)] : names,
    action: action(rule.action, rule.errnoRet, `${what}.action`),
    ...circumstances("includes", rule.includes, what),
    ...circumstances("excludes", rule.excludes, what),
  };
  const conditions = list(rule.args, `${what}.args`).map((arg, at) => parseCondition(arg, `${what}.args[${at}]`));
  if (conditions.length === 0) return [parsed];
  // libseccomp takes one condition an argument, so runc makes "or" of several about the same one.
  const repeats = new Set(conditions.map(({ index }) => index)).size < conditions.length;
  return repeats
    ? conditions.map((condition) => ({ ...parsed, conditions: [condition] }))
    : [{ ...parsed, conditions }];
};

const comparisons: readonly Comparison[] = ["EQ", "NE", "LT", "LE", "GT", "GE", "MASKED_EQ"];

const parseCondition = (value: unknown, what: string): Condition => {
  const { index, op, value: first, valueTwo } = fields(value, what);
  const argument = wholeNumber(index ?? 0, `${what}.index`);
  if (argument > 5n) fail(`${what}: a system call has six arguments, 0 to 5`);
  const comparison =
    comparisons.find((name) => op === `SCMP_CMP_${name}`) ?? fail(`${what}: unknown operator ${String(op)}`);
  const number = wholeNumber(first ?? 0, `${what}.value`);
  const base = { index: Number(argument), comparison };
  return comparison === "MASKED_EQ"
    ? { ...base, mask: number, value: wholeNumber(valueTwo ?? 0, `${what}.valueTwo`) }
    : { ...base, value: number };
};

const circumstances = <K extends "includes" | "excludes">(
  key: K,
  value: unknown,
  what: string,
): { readonly [P in K]?: Circumstances } => {
  if (value === undefined || value === null) return {};
  const { arches, caps, minKernel } = fields(value, `${what}.${key}`);
  const parsed: Circumstances = {
    architectures: strings(arches, `${what}.${key}.arches`),
    capabilities: strings(caps, `${what}.${key}.caps`),
    ...(minKernel ? { minKernel: parseKernel(string(minKernel, `${what}.${key}.minKernel`)) } : {}),
  };
  return { [key]: parsed } as { readonly [P in K]: Circumstances };
};

const parseKernel = (text: string): readonly [number, number] => {
  const [, major, minor] = /^(\d+)\.(\d+)$/.exec(text) ?? fail(`${text} is no kernel version such as 4.8`);
  return [Number(major), Number(minor)];
};
