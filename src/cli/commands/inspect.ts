/** `pier inspect`, and `inspect` of each kind of thing. */
import { AnswerError, type Client } from "../../api/client.ts";
import type { QueryValue } from "../../api/request.ts";
import type { RouteName } from "../../api/routes.ts";
import { type Call, command } from "../command.ts";
import { cliError } from "../errors.ts";
import { Failure, messageOf } from "../failure.ts";
import { flag } from "../flags.ts";
import { contextOf } from "../host.ts";
import { print, printError } from "../streams/output.ts";
import { formatHelp } from "../values/format.ts";
import { compactJson, indentJson } from "../values/json.ts";
import { boolean, text } from "../values/kinds.ts";
import { encodePlatform } from "../values/platform.ts";
import { quote } from "../values/quote.ts";

type Query = Readonly<Record<string, QueryValue>>;

interface Kind {
  /** The Go type of what is found. */
  readonly type: string;
  readonly fetch: (client: Client, name: string, query: Query) => Promise<string>;
}

const byName = (route: RouteName, key: "id" | "name", type: string): Kind => ({
  type,
  fetch: (client, name, query) => {
    const values = { [key]: name } as { id: string; name: string };
    return client.text(route as "containerInspect", values, { query });
  },
});

/** What can be inspected, in the order in which a name is looked for. */
const kinds: ReadonlyMap<string, Kind> = new Map([
  ["container", byName("containerInspect", "id", "container.InspectResponse")],
  ["image", byName("imageInspect", "name", "image.InspectResponse")],
  ["network", byName("networkInspect", "id", "network.Inspect")],
  ["volume", byName("volumeInspect", "id", "volume.Volume")],
]);

const formatFlag = flag(text(), formatHelp("plain"), { short: "f" });
const sizeFlag = flag(boolean(), "Display total file sizes if the type is container", { short: "s" });

const most = Number.POSITIVE_INFINITY;

export const inspect = command({
  usage: "[OPTIONS] NAME|ID [NAME|ID...]",
  flags: {
    format: formatFlag,
    size: sizeFlag,
    type: flag(text(), "Only inspect objects of the given type"),
  },
  least: 1,
  most,
  run: async (call) => {
    const { type, format, size } = call.values;
    if (call.given.has("type") && !kinds.has(type)) {
      const names = [...kinds.keys()].map((name) => `"${name}"`).join(", ");
      throw type === "" ? cliError("typeEmpty", { names }) : cliError("typeUnknown", { type: quote(type), names });
    }
    return await show(call, type === "" ? [...kinds.values()] : [kinds.get(type)!], format, { size });
  },
});

export const inspectContainers = command({
  usage: "[OPTIONS] CONTAINER [CONTAINER...]",
  flags: { format: formatFlag, size: { ...sizeFlag, usage: "Display total file sizes" } },
  least: 1,
  most,
  run: (call) => show(call, [kinds.get("container")!], call.values.format, { size: call.values.size }),
});

export const inspectVolumes = command({
  usage: "[OPTIONS] VOLUME [VOLUME...]",
  flags: { format: formatFlag },
  least: 1,
  most,
  run: (call) => show(call, [kinds.get("volume")!], call.values.format, {}),
});

export const inspectImages = command({
  usage: "[OPTIONS] IMAGE [IMAGE...]",
  flags: {
    format: formatFlag,
    platform: flag(
      text(),
      "Inspect a specific platform of the multi-platform image.\nIf the image or the server is not multi-platform capable, the command will error out if the platform does not match.\n'os[/arch[/variant]]': Explicit platform (eg. linux/amd64)",
    ),
  },
  least: 1,
  most,
  run: (call) =>
    show(call, [kinds.get("image")!], call.values.format, { platform: encodePlatform(call.values.platform, "") }),
});

export const inspectNetworks = command({
  usage: "[OPTIONS] NETWORK [NETWORK...]",
  flags: {
    format: formatFlag,
    verbose: flag(boolean(), "Verbose output for diagnostics", { short: "v" }),
  },
  least: 1,
  most,
  run: (call) => show(call, [kinds.get("network")!], call.values.format, {}),
});

export const inspectContexts = command({
  usage: "[OPTIONS] [CONTEXT] [CONTEXT...]",
  flags: { format: formatFlag },
  least: 0,
  most,
  run: async ({ positional, place, client, values: { format } }) => {
    const { Known } = await import("../contexts/known.ts");
    const known = new Known(place);
    const kind: Kind = { type: "context.contextWithTLSListing", fetch: async (_, name) => known.describe(name) };
    const names = positional.length === 0 ? [contextOf(place, process.env)] : positional;
    return await show({ positional: names, client }, [kind], format, {});
  },
});

interface Found {
  readonly type: string;
  readonly text: string;
}

/** The first kind that has the name; throws the last refusal, or that no kind has it. */
const find = async (client: Client, name: string, wanted: readonly Kind[], query: Query): Promise<Found> => {
  for (const [at, { type, fetch }] of wanted.entries()) {
    try {
      return { type, text: await fetch(client, name, at === 0 ? query : {}) };
    } catch (error) {
      const missing = error instanceof AnswerError && error.status === 404;
      if (!missing || wanted.length === 1) throw error;
    }
  }
  throw new Failure(`Error: No such object: ${name}`);
};

const show = async (
  { positional, client }: Pick<Call, "positional" | "client">,
  wanted: readonly Kind[],
  format: string,
  query: Query,
): Promise<number> => {
  const printer = await printerFor(format);
  const failures: string[] = [];
  const written: string[] = [];
  for (const name of positional) {
    try {
      written.push(printer.write(await find(client, name, wanted, query)));
    } catch (error) {
      failures.push(messageOf(error));
    }
  }
  print(printer.frame(written));
  if (failures.length > 0) printError(`${failures.join("\n")}\n`);
  return failures.length > 0 ? 1 : 0;
};

interface Printer {
  write(found: Found): string;
  /** All of it, from what was written of each. */
  frame(written: readonly string[]): string;
}

/** How the objects found are written: as a JSON list, in many lines or in one, or each through a template. */
const printerFor = async (format: string): Promise<Printer> => {
  if (format === "") return { write: ({ text }) => text, frame: (all) => `${indentJson(`[${all.join(",")}]`)}\n` };
  if (format === "json") return { write: ({ text }) => compactJson(text), frame: (all) => `[${all.join(",")}]\n` };
  const { readInspectFormat } = await import("../output/format.ts");
  const fill = readInspectFormat(format);
  return {
    write: ({ type, text }) => `${fill(text, type)}\n`,
    frame: (all) => (all.length === 0 ? "\n" : all.join("")),
  };
};
