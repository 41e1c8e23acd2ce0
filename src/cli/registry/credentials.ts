/** Credentials of registries: in config.json, or with the helper that it names. */

import { type ConfigFile, readConfig, writeConfig } from "../docker-config.ts";
import { messageOf } from "../failure.ts";
import { printError } from "../streams/output.ts";
import type { Auth } from "./auth.ts";
import { askHelper } from "./credential-programs.ts";

const decode = (auth: string): readonly [username: string, password: string] => {
  const text = Buffer.from(auth, "base64").toString("utf8");
  const colon = text.indexOf(":");
  return colon < 0 ? ["", ""] : [text.slice(0, colon), text.slice(colon + 1)];
};

/** `https://host/v1/` and `host` are the same registry. */
const hostOf = (server: string): string => server.replace(/^https?:\/\//, "").split("/", 1)[0]!;

const helperFor = (config: ConfigFile, server: string): string | undefined =>
  config.credHelpers?.[server] ?? config.credHelpers?.[hostOf(server)] ?? (config.credsStore || undefined);

/** Undefined when nobody is logged in there. */
export const credentialsFor = async (server: string, config = readConfig()): Promise<Auth | undefined> => {
  const helper = helperFor(config, server);
  if (helper !== undefined) {
    const found = await askHelper(helper, "get", server);
    if (found !== undefined) {
      const { Username = "", Secret = "" } = found as { Username?: string; Secret?: string };
      if (Username === "<token>") return { identitytoken: Secret, serveraddress: server };
      return { username: Username, password: Secret, serveraddress: server };
    }
  }
  const auths = config.auths ?? {};
  const key = Object.hasOwn(auths, server) ? server : Object.keys(auths).find((one) => hostOf(one) === hostOf(server));
  const entry = key === undefined ? undefined : auths[key];
  if (entry === undefined || (!entry.auth && !entry.identitytoken)) return undefined;
  const [username, password] = decode(entry.auth ?? "");
  return {
    ...(username === "" ? {} : { username, password }),
    ...(entry.identitytoken ? { identitytoken: entry.identitytoken } : {}),
    serveraddress: server,
  };
};

/**
 * Wherever somebody is logged in, by the server's name in config.json. A helper that fails is told of and passed over, as
 * by docker: perhaps nobody needs what it keeps.
 */
export const allCredentials = async (
  config = readConfig(),
  warn: (text: string) => void = printError,
): Promise<Readonly<Record<string, Auth>>> => {
  const servers = new Set([...Object.keys(config.auths ?? {}), ...Object.keys(config.credHelpers ?? {})]);
  const found: Record<string, Auth> = {};
  for (const server of servers) {
    try {
      const auth = await credentialsFor(server, config);
      if (auth !== undefined) found[server] = auth;
    } catch (error) {
      warn(`WARNING: Failed to get credentials for registry ${server}: ${messageOf(error)}\n`);
    }
  }
  return found;
};

/** Holds afterwards: whoever asks for this registry is these. Answers where they are kept. */
export const storeCredentials = async (server: string, auth: Auth): Promise<"file" | "helper"> => {
  const config = readConfig();
  const helper = helperFor(config, server);
  if (helper !== undefined) {
    const [Username, Secret] =
      auth.identitytoken === undefined ? [auth.username, auth.password] : ["<token>", auth.identitytoken];
    await askHelper(helper, "store", JSON.stringify({ ServerURL: server, Username, Secret }));
    writeConfig({ ...config, auths: { ...config.auths, [server]: {} } });
    return "helper";
  }
  const basic = Buffer.from(`${auth.username ?? ""}:${auth.identitytoken === undefined ? auth.password : ""}`);
  const token = auth.identitytoken === undefined ? {} : { identitytoken: auth.identitytoken };
  writeConfig({ ...config, auths: { ...config.auths, [server]: { auth: basic.toString("base64"), ...token } } });
  return "file";
};

/** Holds afterwards: nobody is logged in there. */
export const eraseCredentials = async (server: string): Promise<void> => {
  const config = readConfig();
  const helper = helperFor(config, server);
  if (helper !== undefined) await askHelper(helper, "erase", server);
  const kept = Object.entries(config.auths ?? {}).filter(([key]) => hostOf(key) !== hostOf(server));
  writeConfig({ ...config, auths: Object.fromEntries(kept) });
};
