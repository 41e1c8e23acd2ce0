/** Who somebody is at a registry: comes with each request, and is kept nowhere. */
import { decodeJson, object, string } from "../api/shape.ts";
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

/** The header `X-Registry-Auth`: JSON in base64, of either alphabet. */
export const decodeCredentials = (header: string): Credentials | undefined => {
  if (header === "" || header === "null") return undefined;
  let value: unknown;
  try {
    value = decodeJson(Buffer.from(header, "base64"));
  } catch (cause) {
    // The cause may quote what it could not read: a password.
    throw registryError("authMalformed", { reason: "it is no JSON in base64" }, cause);
  }
  return parseCredentials(value);
};

export const basicHeader = ({ username, password }: Pick<Credentials, "username" | "password">): string =>
  `Basic ${Buffer.from(`${username}:${password}`).toString("base64")}`;
