/** `pier context ls` */
import { command } from "../command.ts";
import { endpointOf } from "../contexts/address.ts";
import { Known } from "../contexts/known.ts";
import type { Context } from "../contexts/store.ts";
import { messageOf } from "../failure.ts";
import { flag } from "../flags.ts";
import { contextOf, defaultContext, overridingVariable } from "../host.ts";
import { printList, type Row } from "../output/list.ts";
import { ellipsis } from "../output/table.ts";
import { printError } from "../streams/output.ts";
import { formatHelp } from "../values/format.ts";
import { boolean, text } from "../values/kinds.ts";

const headings = {
  Name: "NAME",
  Description: "DESCRIPTION",
  DockerEndpoint: "DOCKER ENDPOINT",
  Error: "ERROR",
} as const;

const usual = "table {{.Name}}{{if .Current}} *{{end}}\t{{.Description}}\t{{.DockerEndpoint}}\t{{.Error}}";
/** Characters that an error has room for. */
const MOST = 45;

export const contexts = command({
  usage: "[OPTIONS]",
  flags: {
    format: flag(text(), formatHelp("table")),
    quiet: flag(boolean(), "Only show context names", { short: "q" }),
  },
  least: 0,
  most: 0,
  run: async ({ values: { format, quiet }, place }) => {
    const known = new Known(place);
    const current = contextOf(place, process.env);
    const there = known.all().map(shownOf);
    const all = there.some(({ name }) => name === current) ? there : [...there, missing(current, known)];
    const template = quiet ? "{{.Name}}" : format === "" || format === "table" ? usual : format;
    const list = { type: "*formatter.clientContextContext", headings, columns: [] };
    const rows = all.sort((a, b) => compareNames(a.name, b.name)).map((shown) => rowOf(shown, current));
    await printList(list, rows, template, false);
    const over = overridingVariable(process.env);
    if (over !== undefined) {
      printError(
        `Warning: ${over} environment variable overrides the active context. To use a context, either set the global --context flag, or unset ${over} environment variable.\n`,
      );
    }
  },
});

interface Shown {
  readonly name: string;
  readonly description: string;
  readonly host: string;
  readonly error: string;
}

const compareNames = (a: string, b: string): number => a.localeCompare(b, "en", { numeric: true });

const shownOf = (context: Context): Shown => {
  const { Name: name, Metadata } = context;
  const description =
    name === defaultContext ? "Current DOCKER_HOST based configuration" : (Metadata.Description ?? "");
  try {
    return { name, description, host: endpointOf(context).Host ?? "", error: "" };
  } catch (error) {
    return { name, description, host: "", error: messageOf(error) };
  }
};

/** What was chosen is shown, with why nothing can be done with it. */
const missing = (name: string, known: Known): Shown => {
  const nothing = { name, description: "", host: "" };
  try {
    known.get(name);
    return { ...nothing, error: "" };
  } catch (error) {
    return { ...nothing, error: messageOf(error) };
  }
};

const rowOf = ({ name, description, host, error }: Shown, current: string): Row => ({
  Current: () => name === current,
  Description: () => description,
  DockerEndpoint: () => host,
  Error: () => ellipsis(error.replaceAll("\n", " "), MOST),
  Name: () => name,
});
