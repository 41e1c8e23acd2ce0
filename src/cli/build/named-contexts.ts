/** `--build-context NAME=…`: what the daemon is told of each, and what of them is ours to give. */
import { randomUUID } from "node:crypto";
import { statSync } from "node:fs";
import { cliError } from "../errors.ts";
import { BlobStore } from "./blob-store.ts";

export interface CliContexts {
  /** By their names: addresses as BuildKit's clients write them. */
  readonly addresses: Readonly<Record<string, string>>;
  readonly directories: ReadonlyMap<string, string>;
  readonly stores: ReadonlyMap<string, BlobStore>;
}

/** What a daemon fetches by itself. */
export const isRemote = (text: string): boolean => /^(https?|git|ssh):\/\/|^[\w-]+@[\w.-]+:|^github\.com\//.test(text);

export const openContexts = (given: readonly string[]): CliContexts => {
  const addresses: Record<string, string> = Object.create(null);
  const directories = new Map<string, string>();
  const stores = new Map<string, BlobStore>();
  for (const text of given) {
    const equals = text.indexOf("=");
    if (equals <= 0) throw cliError("buildContext", { given: text });
    const [name, value] = [text.slice(0, equals), text.slice(equals + 1)];
    if (value.startsWith("docker-image://") || isRemote(value)) addresses[name] = value;
    else if (value.startsWith("oci-layout://")) addresses[name] = openLayout(value, stores);
    else {
      if (!isDirectory(value)) throw cliError("noContext", { path: value });
      directories.set(name, value);
      addresses[name] = `local:${name}`;
    }
  }
  return { addresses, directories, stores };
};

const isDirectory = (path: string): boolean => statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;

/** `oci-layout://DIRECTORY[:TAG][@DIGEST]` */
const openLayout = (address: string, stores: Map<string, BlobStore>): string => {
  const [, directory = "", tag = "latest", given] =
    /^oci-layout:\/\/(.*?)(?::([\w][\w.-]*))?(?:@(sha256:[0-9a-f]{64}))?$/.exec(address) ?? [];
  const store = new BlobStore(directory);
  const digest = given ?? store.find(tag) ?? store.only();
  if (digest === undefined) throw cliError("noLayoutImage", { directory, tag });
  const id = randomUUID();
  stores.set(`oci:${id}`, store);
  return `oci-layout://${id}@${digest}`;
};
