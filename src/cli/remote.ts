/** A daemon at a port, maybe of another machine: docker's words for it, and its certificates. */
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { connect, isIP, type Socket } from "node:net";
import { homedir } from "node:os";
import { join } from "node:path";
import { type ConnectionOptions, connect as connectTls } from "node:tls";
import type { Address } from "../api/client.ts";
import { errnoOf } from "../base/errors.ts";
import { NodeSocket } from "../base/socket-node.ts";
import { cliError } from "./errors.ts";
import { fileFailure } from "./failure.ts";

/** What flags say of TLS. */
export interface TlsWords {
  readonly tls: boolean;
  readonly tlsverify: boolean;
  readonly tlscacert: string;
  readonly tlscert: string;
  readonly tlskey: string;
}

/** As docker: without and with encryption. */
const ports = { plain: 2375, tls: 2376 } as const;

export const remoteAddress = (text: string, words: TlsWords, environment: NodeJS.ProcessEnv): Address => {
  const [, name, port] = /^tcp:\/\/(\[[0-9a-f:.]+\]|[\w.-]+)(?::(\d{1,5}))?\/?$/i.exec(text) ?? [];
  if (name === undefined || Number(port ?? 1) > 65_535) throw cliError("hostInvalid", { host: text });
  const host = name.replace(/^\[|\]$/g, "");
  const tls = tlsOf(words, environment);
  const place = { host, port: Number(port ?? ports[tls === undefined ? "plain" : "tls"]), allowHalfOpen: true };
  const open = async (): Promise<Socket> => {
    const socket = connect(place);
    await once(socket, "connect");
    socket.setNoDelay(true);
    if (tls === undefined) return socket;
    const names = isIP(host) === 0 ? { servername: host } : {};
    const secure = connectTls({ ...tls, ...names, host, socket });
    await once(secure, "secureConnect");
    return secure;
  };
  return { name: text, connect: async () => new NodeSocket(await open()) };
};

const tlsOf = (words: TlsWords, environment: NodeJS.ProcessEnv): ConnectionOptions | undefined => {
  const isVerified = words.tlsverify || Boolean(environment.DOCKER_TLS_VERIFY);
  if (!isVerified && !words.tls) return undefined;
  const directory = environment.DOCKER_CERT_PATH || environment.DOCKER_CONFIG || join(homedir(), ".docker");
  const read = (named: string, usual: string): Buffer | undefined => readMaybe(named || join(directory, usual), named);
  const [ca, cert, key] = [
    isVerified ? read(words.tlscacert, "ca.pem") : undefined,
    read(words.tlscert, "cert.pem"),
    read(words.tlskey, "key.pem"),
  ];
  return {
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined || key === undefined ? {} : { cert, key }),
    rejectUnauthorized: isVerified,
  };
};

/** As docker: what lies at the usual place is used if it is there. */
const readMaybe = (path: string, named: string): Buffer | undefined => {
  try {
    return readFileSync(path);
  } catch (cause) {
    if (named === "" && errnoOf(cause) === "ENOENT") return undefined;
    throw fileFailure(path, cause);
  }
};
