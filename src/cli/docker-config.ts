/**
 * docker's config.json, as far as registries and contexts are concerned; what else is in it stays as it is. Nearly every
 * command reads it: nothing here takes long to load.
 */
import { errnoOf } from "../base/errors.ts";
import { files } from "../base/files.ts";
import { cliError } from "./errors.ts";

export interface AuthEntry {
  readonly auth?: string;
  readonly identitytoken?: string;
}

export interface ConfigFile {
  readonly auths?: Readonly<Record<string, AuthEntry>>;
  /** The helper for all registries, and those for some. */
  readonly credsStore?: string;
  readonly credHelpers?: Readonly<Record<string, string>>;
  /** The name of the context that `context use` has chosen. */
  readonly currentContext?: string;
  readonly [other: string]: unknown;
}

/** Where docker has what belongs to who calls it. */
export const configDirectory = (environment = process.env): string =>
  environment.DOCKER_CONFIG || `${environment.HOME || process.getBuiltinModule("node:os").homedir()}/.docker`;

export const configPath = (environment = process.env): string => `${configDirectory(environment)}/config.json`;

/** Empty where there is none. */
export const readConfig = (path = configPath()): ConfigFile => {
  let content: string;
  try {
    content = files().readFileSync(path, "utf8");
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

/** Holds afterwards: the file has this content, wherever a link in its place leads, and only its owner may read it. */
export const writeConfig = (config: ConfigFile, named = configPath()): void => {
  const { chmodSync, existsSync, mkdirSync, realpathSync, renameSync, statSync, writeFileSync } = files();
  const path = existsSync(named) ? realpathSync(named) : named;
  mkdirSync(path.slice(0, path.lastIndexOf("/")), { recursive: true, mode: 0o700 });
  const temporary = `${path}.${process.pid}`;
  writeFileSync(temporary, `${JSON.stringify(config, undefined, "\t")}`, { mode: 0o600 });
  try {
    chmodSync(temporary, statSync(path).mode & 0o600);
  } catch (error) {
    if (errnoOf(error) !== "ENOENT") throw error;
  }
  renameSync(temporary, path);
};
