/** Where the daemon of a context is. */
import { type Address, unixAddress } from "../../api/client.ts";
import { cliError } from "../errors.ts";
import { parseHost } from "../host-words.ts";
import { remoteAddress, type Tls } from "../remote.ts";
import { type Context, DOCKER, type Endpoint, getContext, readCertificates } from "./store.ts";

/** The daemon's endpoint; throws where the context has none. */
export const endpointOf = ({ Endpoints }: Context): Endpoint => {
  const endpoint = Endpoints[DOCKER];
  if (endpoint === undefined) throw cliError("noDockerEndpoint", {});
  return endpoint;
};

export const contextAddress = (name: string): Address => {
  const endpoint = endpointOf(getContext(name));
  const host = endpoint.Host || "unix:///run/pier/pier.sock";
  const named = parseHost(host);
  return named.kind === "socket" ? unixAddress(named.path) : remoteAddress(host, named, tlsOf(name, endpoint));
};

/** As docker: encrypted where it has certificates, or says that none need be believed. */
const tlsOf = (name: string, { SkipTLSVerify = false }: Endpoint): Tls | undefined => {
  const files = readCertificates(name)[DOCKER];
  if (files === undefined && !SkipTLSVerify) return undefined;
  return { files: files ?? {}, isVerified: !SkipTLSVerify };
};
