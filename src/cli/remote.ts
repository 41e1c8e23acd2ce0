/** A daemon at a port, maybe of another machine: docker's words for it, and its certificates. */
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { connect, isIP, type Socket } from "node:net";
import { join } from "node:path";
import { type ConnectionOptions, connect as connectTls } from "node:tls";
import type { Address } from "../api/client.ts";
import { errnoOf } from "../base/errors.ts";
import { NodeSocket } from "../base/socket-node.ts";
import { configDirectory } from "./docker-config.ts";
import { fileFailure } from "./failure.ts";
import type { PortHost } from "./host-words.ts";

/** What flags say of TLS. */
export interface TlsWords {
  readonly tls: boolean;
  readonly tlsverify: boolean;
  readonly tlscacert: string;
  readonly tlscert: string;
  readonly tlskey: string;
}

/** docker's names for an authority's certificate, ours, and its key. */
export type TlsFile = "ca.pem" | "cert.pem" | "key.pem";
export type TlsFiles = Readonly<Partial<Record<TlsFile, Buffer>>>;

export interface Tls {
  readonly files: TlsFiles;
  readonly isVerified: boolean;
}

/** As docker: without and with encryption. */
const ports = { plain: 2375, tls: 2376 } as const;

export const remoteAddress = (name: string, { host, port }: PortHost, tls: Tls | undefined): Address => {
  const place = { host, port: port ?? ports[tls === undefined ? "plain" : "tls"], allowHalfOpen: true };
  const open = async (): Promise<Socket> => {
    const socket = connect(place);
    await once(socket, "connect");
    socket.setNoDelay(true);
    if (tls === undefined) return socket;
    const names = isIP(host) === 0 ? { servername: host } : {};
    const secure = connectTls({ ...optionsOf(tls), ...names, host, socket });
    await once(secure, "secureConnect");
    return secure;
  };
  return { name, connect: async () => new NodeSocket(await open()) };
};

const optionsOf = ({
  files: { "ca.pem": ca, "cert.pem": cert, "key.pem": key },
  isVerified,
}: Tls): ConnectionOptions => ({
  ...(ca === undefined ? {} : { ca }),
  ...(cert === undefined || key === undefined ? {} : { cert, key }),
  rejectUnauthorized: isVerified,
});

/** What flags and the environment say of TLS; undefined: nothing is encrypted. */
export const tlsOf = (words: TlsWords, environment: NodeJS.ProcessEnv): Tls | undefined => {
  const isVerified = words.tlsverify || Boolean(environment.DOCKER_TLS_VERIFY);
  if (!isVerified && !words.tls) return undefined;
  const directory = environment.DOCKER_CERT_PATH || configDirectory(environment);
  const read = (named: string, usual: TlsFile): TlsFiles => {
    const found = readMaybe(named || join(directory, usual), named);
    return found === undefined ? {} : { [usual]: found };
  };
  return {
    files: {
      ...(isVerified ? read(words.tlscacert, "ca.pem") : {}),
      ...read(words.tlscert, "cert.pem"),
      ...read(words.tlskey, "key.pem"),
    },
    isVerified,
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
