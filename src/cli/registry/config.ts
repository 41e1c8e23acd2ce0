/** docker's config.json, as far as registries are concerned; what else is in it stays as it is. */
import { chmodSync, mkdirSync, readFileSync, renameSync, statSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { errnoOf } from "../../base/errors.ts";
import { cliError } from "../errors.ts";

export interface AuthEntry {
  readonly auth?: string;
  readonly identitytoken?: string;
}

export interface ConfigFile {
  readonly auths?: Readonly<Record<string, AuthEntry>>;
  /** The helper for all registries, and those for some. */
  readonly credsStore?: string;
  readonly credHelpers?: Readonly<Record<string, string>>;
  readonly [other: string]: unknown;
}

export const configPath = (environment = process.env): string =>
  join(environment.DOCKER_CONFIG || join(homedir(), ".docker"), "config.json");

/** Empty where there is none. */
export const readConfig = (path = configPath()): ConfigFile => {
  let content: string;
  try {
    content = readFileSync(path, "utf8");
  } catch (error) {
    if (errnoOf(error) === "ENOENT" || errnoOf(error) === "ENOTDIR") return {};
    throw cliError("configUnreadable", { path, reason: (error as Error).message }, error);
  }
  if (content.trim() === "") return {};
  try {
    const value: unknown = JSON.parse(content);
    if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as ConfigFile;
    throw new Error("it is no object");
  } catch (cause) {
    // What is wrong may be quoted with what stands around it: a password.
    throw cliError("configUnreadable", { path, reason: "it is no JSON object" }, cause);
  }
};

/** Holds afterwards: the file has this content, and only its owner may read it. */
export const writeConfig = (config: ConfigFile, path = configPath()): void => {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const temporary = `${path}.${process.pid}`;
  writeFileSync(temporary, `${JSON.stringify(config, undefined, "\t")}`, { mode: 0o600 });
  try {
    chmodSync(temporary, statSync(path).mode & 0o600);
  } catch (error) {
    if (errnoOf(error) !== "ENOENT") throw error;
  }
  renameSync(temporary, path);
};
