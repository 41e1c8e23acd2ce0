/** `--output`, `--push`, `--load`: what becomes of what is built, and what of it we write ourselves. */
import { mkdir } from "node:fs/promises";
import { readTar } from "../../format/tar/read.ts";
import { unpack } from "../copy/unpack.ts";
import { cliError } from "../errors.ts";
import { saveTo } from "../streams/save.ts";
import { outputIsTerminal } from "../streams/terminal.ts";
import { parseCsv } from "../values/csv.ts";

/** Takes what was built, piece by piece. */
export type Receiver = (pieces: AsyncIterable<Buffer>) => Promise<void>;

export interface CliOutput {
  /** As BuildKit's protocol names it. */
  readonly Type: string;
  readonly Attrs: Readonly<Record<string, string>>;
  /** Undefined: it stays with the daemon. */
  readonly receive?: Receiver;
}

/** Fields of `type=local,dest=out`; a word alone is a directory, or standard output. */
export const parseFields = (given: string): ReadonlyMap<string, string> =>
  new Map(
    parseCsv(given).map((field) => {
      const equals = field.indexOf("=");
      if (equals < 0) throw cliError("buildField", { field, given });
      return [field.slice(0, equals).trim().toLowerCase(), field.slice(equals + 1)] as const;
    }),
  );

const fieldsOf = (given: string): ReadonlyMap<string, string> => {
  if (!given.includes("=")) {
    return new Map(
      given === "-"
        ? [
            ["type", "tar"],
            ["dest", "-"],
          ]
        : [
            ["type", "local"],
            ["dest", given],
          ],
    );
  }
  return parseFields(given);
};

/** What the flags ask for; nothing: an image in the store. */
export const parseOutputs = (
  given: readonly string[],
  { push, load }: { readonly push: boolean; readonly load: boolean },
): readonly CliOutput[] => [
  ...given.map((text) => outputOf(text, fieldsOf(text))),
  ...(push ? [{ Type: "image", Attrs: { push: "true" } }] : []),
  ...(load ? [{ Type: "image", Attrs: {} }] : []),
];

const outputOf = (given: string, fields: ReadonlyMap<string, string>): CliOutput => {
  const type = fields.get("type");
  if (type === undefined) throw cliError("buildField", { field: "type", given });
  const dest = fields.get("dest");
  const { type: _, dest: _dest, ...Attrs } = Object.fromEntries(fields);
  if (type === "registry") return { Type: "image", Attrs: { ...Attrs, push: "true" } };
  if (type === "image" || type === "cacheonly") return { Type: type, Attrs };
  if (type === "docker" && dest === undefined) return { Type: "image", Attrs };
  if (type === "local") {
    if (dest === undefined) throw cliError("buildDest", { type });
    return { Type: "tar", Attrs, receive: (pieces) => unpackTo(dest, pieces) };
  }
  if (!["tar", "oci", "docker"].includes(type)) return { Type: type, Attrs };
  if (dest === undefined || dest === "-") {
    if (outputIsTerminal()) throw cliError("buildDest", { type });
    return { Type: type, Attrs, receive: (pieces) => saveTo("", pieces) };
  }
  return { Type: type, Attrs, receive: (pieces) => saveTo(dest, pieces) };
};

const unpackTo = async (directory: string, pieces: AsyncIterable<Buffer>): Promise<void> => {
  await mkdir(directory, { recursive: true });
  await unpack(readTar(pieces), { directory });
};
