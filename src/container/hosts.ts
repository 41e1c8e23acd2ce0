/** The lines of a running container's `/etc/hosts` about itself and those that it is linked to, as addresses come and go. */
import { readFileSync, statSync } from "node:fs";
import type { Step } from "../kernel/steps.ts";
import type { EndpointChange } from "../network/live.ts";

/** The container can write what it likes into its file: one that is larger than this is left alone. */
const limit = 1 << 20;

const readSmall = (path: string): string | undefined => {
  try {
    return statSync(path).size > limit ? undefined : readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
};

const addressesOf = (endpoints: EndpointChange["before"]): readonly string[] =>
  endpoints.flatMap(({ address, address6 }) => [address, address6]).filter((address) => address !== "");

/**
 * The text with the new addresses instead of the old ones, and all else as it is. `names` are the container's own, for one
 * that had no address until now.
 */
export const changedHosts = (text: string, { before, after }: EndpointChange, names: string): string => {
  const [old, now] = [addressesOf(before), addressesOf(after)];
  const lines = text.split("\n");
  const own = lines.find((line) => old.includes(line.split(/\s/)[0]!));
  const ownNames = own?.replace(/^\S+\s+/, "") ?? (old.length === 0 ? names : undefined);
  const kept = lines.filter((line) => !old.includes(line.split(/\s/)[0]!) || now.includes(line.split(/\s/)[0]!));
  const added = now.filter((one) => ownNames !== undefined && !old.includes(one)).map((one) => `${one}\t${ownNames}`);
  return `${[...kept.join("\n").trimEnd().split("\n"), ...added].join("\n")}\n`;
};

/** The text in which these names are the address's, and nobody's else. */
export const relinkedHosts = (text: string, address: string, names: readonly string[]): string => {
  const kept = text.split("\n").filter((line) => line.split(/\s+/).slice(1).join(" ") !== names.join(" "));
  return `${kept.join("\n").trimEnd()}\n${address}\t${names.join(" ")}\n`;
};

/** Holds afterwards: the file, which stays the same one, has the addresses that the container has now. */
export const planHosts = (path: string, change: EndpointChange, names: string): readonly Step[] =>
  planRewrite(path, (text) => changedHosts(text, change, names), "the container's own addresses");

/** Holds afterwards: the same with the address of a container that it is linked to. */
export const planRelink = (path: string, address: string, names: readonly string[]): readonly Step[] => {
  const line = `${address}\t${names.join(" ")}`;
  const rewrite = (text: string) => (text.split("\n").includes(line) ? text : relinkedHosts(text, address, names));
  return planRewrite(path, rewrite, `${names[0] ?? ""} is at ${address} now`);
};

/** Holds afterwards: the file has no line with these names, which may have been given at another address. */
export const planUnlink = (path: string, names: readonly string[]): readonly Step[] => {
  const isOurs = (line: string): boolean => line.split(/\s+/).slice(1).join(" ") === names.join(" ");
  const rewrite = (text: string) =>
    text
      .split("\n")
      .filter((line) => !isOurs(line))
      .join("\n");
  return planRewrite(path, rewrite, `${names[0] ?? ""} is nobody any more`);
};

const planRewrite = (path: string, rewrite: (text: string) => string, why: string): readonly Step[] => {
  const text = readSmall(path);
  const rewritten = text === undefined ? undefined : rewrite(text);
  if (rewritten === undefined || rewritten === text) return [];
  return [{ step: "createFile", path, mode: 0o644, content: new TextEncoder().encode(rewritten), why }];
};
