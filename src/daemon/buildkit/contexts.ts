/** `--build-context`, by the addresses that BuildKit's clients give contexts. */
import { isDigest } from "../../base/ids.ts";
import { contextName, type NamedContext, type NamedContextTable } from "../../build/named-contexts.ts";
import { isRemote } from "../../build/remote.ts";
import { codes, GrpcError } from "../../format/buildkit/grpc.ts";
import { contentStore } from "./content.ts";
import { refused } from "./entries.ts";
import type { Session } from "./session.ts";
import { openDirectory } from "./sources.ts";

/** Throws for an address that is not served: another context would make another image. */
export const contextsOf = (
  given: Iterable<readonly [name: string, address: string]>,
  session: Session | undefined,
): NamedContextTable =>
  new Map([...given].map(([name, address]) => [contextName(name), parseContext(name, address, session)]));

const parseContext = (name: string, address: string, session: Session | undefined): NamedContext => {
  if (name.includes("::")) throw refused(`pier's build contexts are for all platforms: ${name}`);
  const [, scheme = "", rest = ""] = /^([a-z-]+):(.*)$/.exec(address) ?? [];
  const ours = (): Session => {
    if (session === undefined) throw refused(`the build context ${name} needs the client's session`);
    return session;
  };
  if (scheme === "docker-image") return { kind: "image", name: rest.replace(/^\/\//, "") };
  if (scheme === "local") {
    const from = ours();
    return { kind: "directory", open: (signal) => openDirectory(from, rest, signal) };
  }
  if (scheme === "oci-layout") {
    const [store = "", manifest = ""] = rest.replace(/^\/\//, "").split("@");
    if (!isDigest(manifest)) throw new GrpcError(codes.invalid, `the build context ${name} has no digest: ${address}`);
    return { kind: "layout", manifest, store: contentStore(ours(), `oci:${store.split(":")[0]}`) };
  }
  if (isRemote(address)) return { kind: "remote", address };
  throw refused(`pier cannot use ${address} as the build context ${name}`);
};
