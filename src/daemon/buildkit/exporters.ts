/** BuildKit's exporters, by the names and attributes that clients give them, as what our builds know as outputs. */
import type { BuildOutcome } from "../../build/builds.ts";
import { type BuildOutput, flatten } from "../../build/outputs.ts";
import { writeTar } from "../../format/tar/write.ts";
import { type Entry, isTrue, refused } from "./entries.ts";
import type { Session } from "./session.ts";
import { sendArchive, sendTrees } from "./uploads.ts";

/** Attributes that mean something here, or nothing anywhere but on the client's side. */
const known: Readonly<Record<string, readonly string[]>> = {
  image: ["name", "push", "store", "unpack", "registry.insecure", "context", "compression", "oci-mediatypes"],
  archive: ["name", "dest", "tar", "compression", "oci-mediatypes", "context", "prefer-image-digest"],
  files: ["dest", "platform-split"],
};

const kinds: Readonly<Record<string, keyof typeof known>> = {
  ...{ moby: "image", image: "image", registry: "image", docker: "archive", oci: "archive" },
  ...{ local: "files", tar: "files" },
};

/** Throws for exporters and attributes that are not known: one that is ignored would give something else. */
export const checkExporters = (exporters: readonly Entry[]): void => {
  for (const { type, attributes } of exporters) {
    const kind = kinds[type];
    if (kind === undefined) throw refused(`pier has no exporter ${type}: there are image, docker, oci, local and tar`);
    const unknown = [...attributes.keys()].find((name) => !known[kind]!.includes(name));
    if (unknown !== undefined) throw refused(`pier's exporter ${type} does not know ${unknown}`);
    compressionOf(type, attributes);
    if (!isTrue(attributes.get("store") ?? "true"))
      throw refused("pier keeps the images that it pushes: store=false is not there");
  }
};

const compressionOf = (type: string, attributes: ReadonlyMap<string, string>): "gzip" | "uncompressed" => {
  const asked = attributes.get("compression") ?? "gzip";
  if (asked === "gzip" || (asked === "uncompressed" && kinds[type] === "archive")) return asked;
  throw refused(`pier's exporter ${type} does not know compression=${asked}`);
};

const namesOf = (attributes: ReadonlyMap<string, string>): readonly string[] =>
  (attributes.get("name") ?? "").split(",").filter((name) => name !== "");

/** The outputs that a client's exporters mean; what they make of files goes to the client's session, which these need. */
export const outputsOf = (exporters: readonly Entry[], session: Session | undefined): readonly BuildOutput[] => {
  checkExporters(exporters);
  return exporters.map(({ type, attributes }, id): BuildOutput => {
    const names = namesOf(attributes);
    if (kinds[type] === "image") {
      const push = type === "registry" || isTrue(attributes.get("push") ?? "");
      return { kind: "image", names, push };
    }
    if (session === undefined) throw refused(`the exporter ${type} sends what was built to a session: there is none`);
    const split = attributes.get("platform-split");
    const isSplit = split === undefined ? undefined : isTrue(split);
    if (type === "local") return { kind: "files", isSplit, deliver: (trees) => sendTrees(session, id, trees) };
    if (type === "tar")
      return { kind: "files", isSplit, deliver: (trees) => sendArchive(session, id, {}, writeTar(flatten(trees))) };
    const compression = compressionOf(type, attributes);
    const layout = type === "oci" ? "oci" : "docker";
    const metadata = names.length === 0 ? {} : { "image.name": names.join(",") };
    return {
      kind: "archive",
      ...{ layout, names, compression },
      deliver: (archive) => sendArchive(session, id, metadata, archive),
    };
  });
};

/** What a client is told of its outputs, and writes to its metadata file. */
export const responseOf = ({ config, outputs, cache }: BuildOutcome): ReadonlyMap<string, string> => {
  // Several images have several.
  const response = new Map<string, string>(config === undefined ? [] : [["containerimage.config.digest", config]]);
  const names = [...new Set(outputs.flatMap((output) => output.names))];
  if (names.length > 0) response.set("image.name", names.join(","));
  for (const { digest, descriptor } of outputs) {
    response.set("containerimage.digest", digest);
    if (descriptor === undefined) continue;
    response.set("containerimage.descriptor", Buffer.from(JSON.stringify(descriptor)).toString("base64"));
  }
  // By this the client finds it in its own store.
  if (cache !== undefined) response.set("cache.manifest", JSON.stringify(cache));
  return response;
};
