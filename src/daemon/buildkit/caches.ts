/** `--cache-from` and `--cache-to`, by the types and attributes that BuildKit's clients give them. */
import { isDigest } from "../../base/ids.ts";
import type { CacheExport, CacheImport } from "../../build/cache-request.ts";
import { codes, GrpcError } from "../../format/buildkit/grpc.ts";
import { contentStore } from "./content.ts";
import { decodeEntries, type Entry, isTrue, refused } from "./entries.ts";
import type { Session } from "./session.ts";

const shared = ["mode", "ignore-error", "image-manifest", "oci-mediatypes", "compression"];
const known: Readonly<Record<string, readonly string[]>> = {
  inline: [],
  registry: ["ref", ...shared],
  local: ["dest", "tag", "reset", ...shared],
};

/** Throws for a type that is not served: whoever asks for a copy of the cache counts on it. */
export const exportsOf = (entries: readonly Entry[], session: Session | undefined): readonly CacheExport[] =>
  entries.map(({ type, attributes }): CacheExport => {
    const own = known[type];
    if (own === undefined)
      throw refused(
        `pier exports the cache of a build to registries, directories and images: there is no --cache-to type=${type}`,
      );
    const unknown = [...attributes.keys()].find((name) => !own.includes(name));
    if (unknown !== undefined) throw refused(`pier's --cache-to type=${type} does not know ${unknown}`);
    if (type === "inline") return { kind: "inline" };
    const get = (name: string, absent: string): string => attributes.get(name) ?? absent;
    const mode = get("mode", "min");
    if (mode !== "min" && mode !== "max") throw new GrpcError(codes.invalid, `unknown cache mode ${mode}: min or max`);
    if (get("compression", "gzip") !== "gzip" || !isTrue(get("oci-mediatypes", "true")))
      throw refused(`pier's --cache-to type=${type} knows compression=gzip and the media types of OCI alone`);
    const asked = {
      mode,
      ignoresErrors: isTrue(get("ignore-error", "")),
      asIndex: !isTrue(get("image-manifest", "true")),
    } as const;
    if (type === "registry") return { kind: "registry", ref: needed(type, attributes, "ref"), ...asked };
    const name = needed(type, attributes, "dest");
    return { kind: "store", name, store: contentStore(needSession(session), `local:${name}`), ...asked };
  });

/** What cannot be read from other types would only have made the build faster: those are refused all the same. */
export const importsOf = (entries: readonly Entry[], session: Session | undefined): readonly CacheImport[] =>
  entries.map(({ type, attributes }): CacheImport => {
    if (type === "registry") return { kind: "registry", ref: needed(type, attributes, "ref") };
    if (type !== "local")
      throw refused(
        `pier reads the cache of a build from registries and directories: there is no --cache-from type=${type}`,
      );
    const name = needed(type, attributes, "src");
    const manifest = needed(type, attributes, "digest");
    if (!isDigest(manifest)) throw new GrpcError(codes.invalid, "the digest of --cache-from is none");
    return { kind: "store", name, manifest, store: contentStore(needSession(session), `local:${name}`) };
  });

const needed = (type: string, attributes: ReadonlyMap<string, string>, name: string): string => {
  const value = attributes.get(name) ?? "";
  if (value === "") throw new GrpcError(codes.invalid, `the cache of type=${type} requires ${name}`);
  return value;
};

const needSession = (session: Session | undefined): Session => {
  if (session === undefined) throw refused("a cache in a client's directory needs the client's session");
  return session;
};

/** Those of an option, which may be empty. */
export const parseEntries = (text: string): readonly Entry[] => {
  if (text === "" || text === "null") return [];
  try {
    return decodeEntries(text);
  } catch (cause) {
    throw new GrpcError(codes.invalid, "the list of caches is not the JSON that it should be", cause);
  }
};
