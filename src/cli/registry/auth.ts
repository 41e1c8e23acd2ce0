/** Who we are at a registry, as requests to the daemon carry it. */
import { allCredentials, credentialsFor } from "./credentials.ts";

/** Docker Hub's name in config.json, from the days of its first registry. */
export const hubServer = "https://index.docker.io/v1/";

/** What config.json calls the registry of an image: of a name in full. */
export const serverOf = (name: string): string => {
  const domain = name.slice(0, name.indexOf("/"));
  return domain === "docker.io" ? hubServer : domain;
};

/** The header for a request about this image; none where nobody is logged in. */
export const authHeaders = async (name: string): Promise<Readonly<Record<string, string>>> => {
  const found = await credentialsFor(serverOf(name));
  return found === undefined ? {} : { "X-Registry-Auth": encodeAuth(found) };
};

/** The header for a build, whose bases may be anywhere. */
export const buildAuthHeaders = async (): Promise<Readonly<Record<string, string>>> => {
  const found = await allCredentials();
  return Object.keys(found).length === 0 ? {} : { "X-Registry-Config": encodeAuth(found) };
};

export interface Auth {
  readonly username?: string;
  readonly password?: string;
  readonly identitytoken?: string;
  readonly serveraddress: string;
}

/** JSON in base64 for addresses, as Docker's clients send it. */
export const encodeAuth = (auth: Auth | Readonly<Record<string, Auth>>): string =>
  Buffer.from(JSON.stringify(auth)).toString("base64").replaceAll("+", "-").replaceAll("/", "_");
