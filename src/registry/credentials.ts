/** Who somebody is at a registry: comes with each request, and is kept nowhere. */
import { decodeJson, map, object, string } from "../api/shape.ts";
import { registryError } from "./errors.ts";

export interface Credentials {
  readonly username: string;
  readonly password: string;
  /** Stands for the password where a registry gave one at login (OAuth's refresh token). */
  readonly identityToken: string;
  /** A token that is sent as it is. */
  readonly registryToken: string;
}

const shape = object({
  username: string,
  password: string,
  auth: string,
  identitytoken: string,
  registrytoken: string,
  serveraddress: string,
});

/** Undefined when there is nobody in it. */
export const parseCredentials = (value: unknown): (Credentials & { readonly server: string }) | undefined => {
  const { username, password, auth, identitytoken, registrytoken, serveraddress } = shape(value ?? undefined, "");
  const [name, ...rest] = username === "" ? Buffer.from(auth, "base64").toString("utf8").split(":") : [username];
  const found = {
    username: name ?? "",
    password: username === "" ? rest.join(":") : password,
    identityToken: identitytoken,
    registryToken: registrytoken,
    server: serveraddress,
  };
  return found.username + identitytoken + registrytoken === "" ? undefined : found;
};

const decodeHeader = (header: string, text: string): unknown => {
  try {
    return decodeJson(Buffer.from(text, "base64"));
  } catch (cause) {
    // The cause may quote what it could not read: a password.
    throw registryError("authMalformed", { header, reason: "it is no JSON in base64" }, cause);
  }
};

/** The header `X-Registry-Auth`: JSON in base64, of either alphabet. */
export const decodeCredentials = (text: string): Credentials | undefined =>
  text === "" || text === "null" ? undefined : parseCredentials(decodeHeader("X-Registry-Auth", text));

/** Docker Hub's first registry is what clients call it to this day. */
export const domainOf = (server: string): string => {
  const host = server.replace(/^https?:\/\//, "").split("/", 1)[0]!;
  return host === "" || host === "index.docker.io" || host === "registry-1.docker.io" ? "docker.io" : host;
};

const several = map((value) => parseCredentials(value));

/** The header `X-Registry-Config`, by domain: who a client is everywhere, for a build that may pull from anywhere. */
export const decodeAllCredentials = (text: string): ReadonlyMap<string, Credentials> => {
  if (text === "" || text === "null") return new Map();
  const given = several(decodeHeader("X-Registry-Config", text), "");
  return new Map(
    Object.entries(given).flatMap(([server, one]) => (one === undefined ? [] : [[domainOf(server), one] as const])),
  );
};

export const basicHeader = ({ username, password }: Pick<Credentials, "username" | "password">): string =>
  `Basic ${Buffer.from(`${username}:${password}`).toString("base64")}`;
