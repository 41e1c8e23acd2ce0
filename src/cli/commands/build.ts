/** `pier build` */
import { readFileSync, writeFileSync } from "node:fs";
import type { BuildProgressLine } from "../../api/answers.ts";
import { jsonLines } from "../../api/client.ts";
import { buildSecretsHeader } from "../../api/routes.ts";
import { openContext } from "../build/context.ts";
import { command } from "../command.ts";
import { cliError } from "../errors.ts";
import { Failure, fileFailure } from "../failure.ts";
import { flag } from "../flags.ts";
import { buildAuthHeaders } from "../registry/auth.ts";
import { print, printError } from "../streams/output.ts";
import { parseCsv } from "../values/csv.ts";
import { boolean, bytes, text, texts } from "../values/kinds.ts";

export const build = command({
  usage: "[OPTIONS] PATH | URL | -",
  flags: {
    "add-host": flag(texts, 'Add a custom host-to-IP mapping (format: "host:ip")'),
    "build-arg": flag(texts, "Set build-time variables"),
    file: flag(text(), 'Name of the Dockerfile (default: "PATH/Dockerfile")', { short: "f" }),
    iidfile: flag(text(), "Write the image ID to a file"),
    label: flag(texts, "Set metadata for an image"),
    memory: flag(bytes, "Memory limit", { short: "m" }),
    network: flag(text(), 'Set the networking mode for the "RUN" instructions during build'),
    "no-cache": flag(boolean(), "Do not use cache when building the image"),
    platform: flag(text(), "Set target platform for build"),
    progress: flag(text("auto"), 'Set type of progress output ("auto", "plain", "quiet")'),
    pull: flag(boolean(), "Always attempt to pull all referenced images"),
    quiet: flag(boolean(), "Suppress the build output and print image ID on success", { short: "q" }),
    secret: flag(texts, 'Secret to expose to the build (format: "id=mysecret[,src=/local/secret]")'),
    "shm-size": flag(bytes, "Shared memory size for build containers"),
    tag: flag(texts, 'Name and optionally a tag (format: "name:tag")', { short: "t" }),
    target: flag(text(), "Set the target build stage to build"),
  },
  least: 1,
  most: 1,
  run: async ({ values: flags, positional, client }) => {
    const context = await openContext(positional[0]!, flags.file);
    const quiet = flags.quiet || flags.progress === "quiet";
    const query = {
      t: flags.tag,
      dockerfile: context.dockerfile,
      target: flags.target,
      nocache: flags["no-cache"],
      pull: flags.pull,
      platform: flags.platform,
      networkmode: flags.network,
      extrahosts: flags["add-host"],
      buildargs: JSON.stringify(Object.fromEntries(flags["build-arg"].flatMap(parseArgument))),
      labels: JSON.stringify(Object.fromEntries(flags.label.map(parseLabel))),
      ...(flags.memory > 0 ? { memory: String(flags.memory) } : {}),
      ...(flags["shm-size"] > 0 ? { shmsize: String(flags["shm-size"]) } : {}),
    };
    const secrets = Object.fromEntries(flags.secret.map(readSecret));
    const headers = {
      ...(await buildAuthHeaders()),
      ...(flags.secret.length === 0 ? {} : { [buildSecretsHeader]: encodeSecrets(secrets) }),
    };
    const stream = { type: "application/x-tar", data: context.data };
    const { body } = await client.send("build", {}, { query, headers, stream });
    const id = await follow(jsonLines<BuildProgressLine>(body), quiet);
    if (flags.iidfile !== "") writeFileSync(flags.iidfile, id);
    if (quiet) print(`${id}\n`);
    return 0;
  },
});

/** A variable without a value has that of our own environment, or is not there. */
const parseArgument = (given: string): readonly (readonly [string, string])[] => {
  const equals = given.indexOf("=");
  if (equals >= 0) return [[given.slice(0, equals), given.slice(equals + 1)]];
  const value = process.env[given];
  return value === undefined ? [] : [[given, value]];
};

const parseLabel = (given: string): readonly [string, string] => {
  const equals = given.indexOf("=");
  return equals < 0 ? [given, ""] : [given.slice(0, equals), given.slice(equals + 1)];
};

/** `id=x,src=FILE`, `id=x,env=NAME`, `id=x`: a file, a variable, or whichever has that name. */
const readSecret = (given: string): readonly [string, string] => {
  const fields = new Map(
    parseCsv(given).map((field) => {
      const equals = field.indexOf("=");
      return [field.slice(0, equals).toLowerCase(), field.slice(equals + 1)] as const;
    }),
  );
  const file = fields.get("src") ?? fields.get("source");
  const id = fields.get("id") ?? file ?? fields.get("env");
  if (id === undefined) throw cliError("secretWithoutId", { given });
  const variable = fields.get("env") ?? (file === undefined ? id : undefined);
  const value = variable === undefined ? undefined : process.env[variable];
  if (value !== undefined) return [id, Buffer.from(value).toString("base64")];
  const path = file ?? id;
  try {
    return [id, readFileSync(path).toString("base64")];
  } catch (cause) {
    throw fileFailure(path, cause);
  }
};

const encodeSecrets = (secrets: Readonly<Record<string, string>>): string =>
  Buffer.from(JSON.stringify(secrets)).toString("base64");

/** Shows what is said; answers the image's id, throws what went wrong. */
const follow = async (lines: AsyncIterable<BuildProgressLine>, quiet: boolean): Promise<string> => {
  const kept: string[] = [];
  let id = "";
  for await (const { stream, aux, error, errorDetail } of lines) {
    if (error !== undefined) {
      // What went before is only worth its lines now.
      if (quiet) printError(kept.join(""));
      throw new Failure(`ERROR: failed to build: ${errorDetail?.message ?? error}`);
    }
    if (aux !== undefined) id = aux.ID;
    if (stream === undefined) continue;
    if (quiet) kept.push(stream);
    else print(stream);
  }
  if (id === "") throw new Failure("ERROR: the build was cut off");
  return id;
};
