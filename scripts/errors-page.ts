/** `docs/errors.md`: every sentence that a person can be shown, by room. */
import { apiErrors } from "../src/api/errors.ts";
import { databaseErrors } from "../src/base/database.ts";
import type { ErrorTable } from "../src/base/errors.ts";
import { createErrors } from "../src/cli/create/errors.ts";
import { cliErrors } from "../src/cli/errors.ts";
import { requestErrors } from "../src/container/errors.ts";
import { daemonErrors } from "../src/daemon/errors.ts";
import { formatErrors } from "../src/format/errors.ts";
import { imageErrors } from "../src/image/errors.ts";
import { cgroupErrors } from "../src/kernel/cgroup/errors.ts";
import { kernelErrors } from "../src/kernel/errors.ts";
import { numbersErrors } from "../src/kernel/numbers/errors.ts";
import { seccompErrors } from "../src/kernel/seccomp/errors.ts";
import { networkErrors } from "../src/network/errors.ts";
import { registryErrors } from "../src/registry/errors.ts";
import { volumeErrors } from "../src/volume/errors.ts";

const rooms: Readonly<Record<string, readonly ErrorTable[]>> = {
  base: [databaseErrors],
  api: [apiErrors],
  format: [formatErrors],
  kernel: [kernelErrors, numbersErrors, cgroupErrors, seccompErrors],
  registry: [registryErrors],
  image: [imageErrors],
  network: [networkErrors],
  volume: [volumeErrors],
  container: [requestErrors],
  daemon: [daemonErrors],
  cli: [cliErrors, createErrors],
};

const cell = (text: string): string => text.replaceAll("|", "\\|").replaceAll("\n", " ");

const section = ([room, tables]: readonly [string, readonly ErrorTable[]]): string => {
  const rows = tables
    .flatMap((table) => Object.entries(table))
    .map(
      ([code, { status, sentence, hint }]) => `| \`${code}\` | ${status} | ${cell(sentence)} | ${cell(hint ?? "")} |`,
    );
  return `## ${room}\n\n| code | status | sentence | what to type next |\n|---|---|---|---|\n${rows.join("\n")}\n`;
};

export const errorsPage = (): string => `# The errors

Generated from every room's \`errors.ts\` by \`npm run generate\`. Names in braces are filled in.

${Object.entries(rooms).map(section).join("\n")}`;
