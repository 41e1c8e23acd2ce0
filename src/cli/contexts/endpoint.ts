/** `--docker host=…,ca=…`: the endpoint of a new context. */
import { readFileSync } from "node:fs";
import { cliError } from "../errors.ts";
import { fileFailure, messageOf } from "../failure.ts";
import type { Kind } from "../flags.ts";
import { parseHost } from "../host-words.ts";
import { parseCsv } from "../values/csv.ts";
import { splitPair, withPair } from "../values/kinds.ts";
import { parseBoolean } from "../values/numbers.ts";
import { endpointOf } from "./address.ts";
import type { Known } from "./known.ts";
import type { Endpoint } from "./store.ts";

export type EndpointWords = Readonly<Record<string, string>>;

/** pflag's stringToString. */
export const endpointWords: Kind<EndpointWords> = {
  placeholder: "stringToString",
  initial: {},
  shown: "[]",
  read: (given, before) => {
    const fields = given.split("=").length > 2 ? parseCsv(given) : [given.replace(/^"+|"+$/g, "")];
    return fields.reduce((words, field) => {
      if (splitPair(field)[1] === undefined) throw cliError("pairInvalid", { text: field });
      return withPair(words, field);
    }, before);
  },
};

const keys = ["from", "host", "ca", "cert", "key", "skip-tls-verify"];

/** What the words say, with the certificates that they name; an endpoint that is copied comes without, as docker's. */
export const readEndpoint = (
  words: EndpointWords,
  known: Known,
): { readonly endpoint: Endpoint; readonly files: Readonly<Record<string, Buffer>> } => {
  const unknown = Object.keys(words).filter((key) => !keys.includes(key));
  if (unknown.length > 0) throw badEndpoint(unknown.map((key) => `unrecognized config key: ${key}`).join("\n"));
  if (words.from !== undefined) return { endpoint: endpointOf(known.get(words.from)), files: {} };
  try {
    const host = words.host ?? "";
    if (host !== "") parseHost(host);
    const isSkipped = words["skip-tls-verify"];
    return {
      endpoint: {
        ...(host === "" ? {} : { Host: host }),
        SkipTLSVerify: isSkipped === undefined ? false : parseBoolean(isSkipped),
      },
      files: { ...read(words.ca, "ca.pem"), ...read(words.cert, "cert.pem"), ...read(words.key, "key.pem") },
    };
  } catch (cause) {
    throw badEndpoint(messageOf(cause), cause);
  }
};

const badEndpoint = (reason: string, cause?: unknown) => cliError("endpointInvalid", { reason }, cause);

const read = (path: string | undefined, name: string): Readonly<Record<string, Buffer>> => {
  if (path === undefined || path === "") return {};
  try {
    return { [name]: readFileSync(path) };
  } catch (cause) {
    throw fileFailure(path, cause);
  }
};
