/** What the word under the cursor may become: asked by the shells' scripts, answered from the tables of commands and flags. */
import type { Client } from "../api/client.ts";
import { entries, findCommand, groups } from "./commands.ts";
import { defaultContext } from "./host.ts";

/** What stands in a command's usage line: there is a list of such things. */
const objects = ["CONTAINER", "IMAGE", "VOLUME", "NETWORK", "CONTEXT"] as const;
type ObjectKind = (typeof objects)[number];

/** The candidates for the last word; `client` is asked for the names of things, and reaches nobody if no daemon runs. */
export const complete = async (words: readonly string[], client: Client): Promise<readonly string[]> => {
  const last = words.at(-1) ?? "";
  const found = await candidates(words.slice(0, -1), last, client);
  return found.filter((one) => one.startsWith(last)).toSorted();
};

const candidates = async (before: readonly string[], last: string, client: Client): Promise<readonly string[]> => {
  const [first] = before;
  if (first === undefined) return [...Object.keys(groups), ...entries.flatMap(({ top }) => top ?? [])];
  const found = findCommand(before);
  if (found.kind === "group") {
    return entries.flatMap(({ group }) => (group?.name === found.group ? [group.command] : []));
  }
  if (found.kind === "none") return [];
  const { flags, usage } = await found.entry.load();
  if (last.startsWith("-")) {
    return ["help", ...Object.keys(flags)].map((name) => `--${name}`);
  }
  const kind = objects.find((one) => new RegExp(`\\b(\\w+_)?${one}\\b`).test(usage));
  return kind === undefined ? [] : await namesOf(kind, client).catch(() => []);
};

const namesOf = async (kind: ObjectKind, client: Client): Promise<readonly string[]> => {
  try {
    switch (kind) {
      case "CONTAINER":
        return (await client.get("containerList", {}, { query: { all: true } })).flatMap(({ Names }) =>
          Names.map((name) => name.slice(1)),
        );
      case "IMAGE":
        return (await client.get("imageList", {})).flatMap(({ RepoTags }) => RepoTags);
      case "VOLUME":
        return ((await client.get("volumeList", {})).Volumes ?? []).map(({ Name }) => Name);
      case "NETWORK":
        return (JSON.parse(await client.text("networkList", {})) as { readonly Name: string }[]).map(
          ({ Name }) => Name,
        );
      case "CONTEXT":
        return [defaultContext, ...(await import("./contexts/store.ts")).listContexts().map(({ Name }) => Name)];
    }
  } finally {
    client.close();
  }
};
