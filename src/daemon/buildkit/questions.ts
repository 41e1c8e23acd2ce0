/** What is asked of a Dockerfile instead of a build, by BuildKit's names, and what is answered, as its clients read it. */
import type { BuildAnswer } from "../../api/answers/builds.ts";
import type { AskedBuild, BuildSource, Told } from "../../build/builds.ts";
import type { LineRange } from "../../build/dockerfile/source.ts";
import type { Outline, OutlineMount } from "../../build/outline.ts";
import type { Target } from "../../build/targets.ts";
import { alignColumns } from "../../format/columns.ts";
import type { Services } from "../services.ts";
import { lintOf } from "./checks.ts";
import { refused } from "./entries.ts";

const version = "1.0.0";
const describe = "frontend.subrequests.describe";

const questions = {
  "frontend.outline": { about: "outline", description: "List all parameters current build target supports" },
  "frontend.targets": { about: "targets", description: "List all targets current build supports" },
  "frontend.lint": { about: "check", description: "Lint a Dockerfile" },
} as const satisfies Record<string, { readonly about: Told["about"]; readonly description: string }>;

const isQuestion = (name: string): name is keyof typeof questions => Object.hasOwn(questions, name);

/** Throws for a question that there is not, and what is wrong with the Dockerfile. */
export const answerQuestion = async (
  { builds }: Pick<Services, "builds">,
  name: string,
  given: () => Promise<{ readonly asked: AskedBuild; readonly source: BuildSource }>,
  signal: AbortSignal,
): Promise<BuildAnswer> => {
  if (name === describe) return description;
  if (!isQuestion(name)) throw refused(`pier answers no ${name} about Dockerfiles; ask for ${describe}`);
  const { asked, source } = await given();
  return answerOf(await builds.tell(questions[name].about, asked, source, signal));
};

/** The metadata of a result. */
export const metadataOf = ({ json, text, code }: BuildAnswer): ReadonlyMap<string, Uint8Array> =>
  new Map(
    Object.entries({
      "result.json": JSON.stringify(json, undefined, 2),
      "result.txt": text,
      "result.statuscode": String(code),
      version,
    }).map(([name, value]) => [name, Buffer.from(value)]),
  );

const answerOf = (told: Told): BuildAnswer => {
  const sources = [Buffer.from(told.text).toString("base64")];
  switch (told.about) {
    case "check": {
      const { warnings } = told;
      const lines = warnings.map(({ rule, detail, range }) => `${rule}: ${detail} (line ${range.start})\n`);
      return { json: lintOf(told), text: lines.join(""), code: warnings.length > 0 ? 1 : 0 };
    }
    case "outline":
      return { json: { ...outlineJson(told.outline), sources }, text: outlineText(told.outline), code: 0 };
    case "targets":
      return { json: { targets: told.targets.map(targetJson), sources }, text: targetsText(told.targets), code: 0 };
  }
};

const table = (gap: number, rows: readonly (readonly string[])[]): string =>
  alignColumns(rows.map((cells) => `${cells.join("\t")}\n`).join(""), { least: 0, gap });

const locationOf = ({ start, end }: LineRange) => ({ ranges: [{ start: { line: start }, end: { line: end } }] });

/** As Go leaves out what is marked `omitempty`. */
const withoutEmpty = (fields: Readonly<Record<string, string | boolean | readonly unknown[]>>) =>
  Object.fromEntries(
    Object.entries(fields).filter(([, value]) => (typeof value === "boolean" ? value : value.length > 0)),
  );

const outlineJson = ({ name, description, args, secrets, agents }: Outline) => {
  const mountJson = ({ name, required, range }: OutlineMount) => ({
    ...{ name, ...withoutEmpty({ required }) },
    location: locationOf(range),
  });
  const told = args.map(({ name, description, value, range }) => ({
    ...{ name, ...withoutEmpty({ description, value }) },
    location: locationOf(range),
  }));
  return withoutEmpty({
    ...{ name, description, args: told },
    ...{ secrets: secrets.map(mountJson), ssh: agents.map(mountJson) },
  });
};

const outlineText = ({ name, description, args, secrets, agents }: Outline): string => {
  const target = [["TARGET:", name || "(default)"]];
  const rows = args.map(({ name, value, description }) => [name, value, description]);
  const mountRows = (mounts: readonly OutlineMount[]) =>
    mounts.map(({ name, required }) => [name, required ? "true" : ""]);
  const parts = [
    ...(name + description === ""
      ? []
      : [table(1, description === "" ? target : [...target, ["DESCRIPTION:", description]])]),
    ...(args.length === 0 ? [] : [table(3, [["BUILD ARG", "VALUE", "DESCRIPTION"], ...rows])]),
    ...(secrets.length === 0 ? [] : [table(3, [["SECRET", "REQUIRED"], ...mountRows(secrets)])]),
    ...(agents.length === 0 ? [] : [table(3, [["SSH", "REQUIRED"], ...mountRows(agents)])]),
  ];
  return parts.map((part) => `${part}\n`).join("");
};

const targetJson = ({ name, isDefault, description, base, platform, range }: Target) => ({
  ...withoutEmpty({ name, default: isDefault, description, base, platform }),
  location: locationOf(range),
});

const targetsText = (targets: readonly Target[]): string =>
  table(1, [
    ["TARGET", "DESCRIPTION"],
    ...targets.map(({ name, isDefault, description }) => [
      [name, ...(isDefault ? ["(default)"] : [])].join(" ").trim(),
      description,
    ]),
  ]);

const requests = [
  ...Object.entries(questions).map(([name, { description }]) => ({ name, description })),
  { name: describe, description: "List available subrequest types" },
];

/** Of the questions themselves. */
const description: BuildAnswer = {
  json: requests.map(({ name: Name, description: Description }) => ({
    ...{ Name, Version: version, Type: "rpc", Description },
    Opts: Name === "frontend.outline" ? [{ Name: "target", Description: "Target build stage" }] : [],
    Inputs: null,
    Metadata: ["result.json", "result.txt"].map((metadata) => ({ Name: metadata, Description: "" })),
    Refs: null,
  })),
  text: table(1, [
    ["NAME", "VERSION", "DESCRIPTION"],
    ...requests.map((one) => [one.name.replace(/^frontend\./, ""), version, one.description]),
  ]),
  code: 0,
};
