import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { readTar } from "../format/tar/read.ts";
import { helloRoot, hostFacts } from "./hello.ts";

const build = fileURLToPath(new URL("../../build/", import.meta.url));
const program = `${build}hello`;
const missing = !existsSync(program) && "build/hello is missing; type: npm run build";

const pageOf = async (env: readonly string[]): Promise<string[]> => {
  const pairs = env.map((line): [string, string] => {
    const at = line.indexOf("=");
    return [line.slice(0, at), line.slice(at + 1)];
  });
  const { stdout } = await promisify(execFile)(program, { env: Object.fromEntries(pairs) });
  return stdout.trimEnd().split("\n");
};

describe("the image hello", { skip: missing }, () => {
  test("its root is one executable program", async () => {
    const seen: string[] = [];
    for await (const { entry } of readTar(helloRoot(readFileSync(program)))) {
      seen.push(`${Buffer.from(entry.path).toString()} ${entry.mode.toString(8)} ${entry.type}`);
    }
    assert.deepEqual(seen, ["hello 755 file"]);
  });

  test("fits one screen, each line beside what the machine has", async () => {
    const page = await pageOf(await hostFacts());
    assert.ok(page.length <= 24, page.join("\n"));
    assert.deepEqual(
      page.filter((line) => line.length > 80),
      [],
    );
    // Outside of any container both sides are the same.
    assert.match(page.join("\n"), /host name {5}(\S+) +\1\n/);
    assert.match(page.join("\n"), /kernel .* the same: no machine was started/);
  });

  test("shows the container's side alone when nobody tells of the machine", async () => {
    const page = await pageOf([]);
    assert.match(page.join("\n"), /host name {5}\S+\n/);
    assert.doesNotMatch(page.join("\n"), /machine has/);
  });

  test("a value that is too long or hostile cannot break the page", async () => {
    const page = await pageOf([`PIER_HOST_KERNEL=${"9".repeat(5000)}`, "PIER_HOST_NAME=\u001b[2Jgone"]);
    assert.ok(page.every((line) => line.length <= 80 && !line.includes("\u001b")));
  });
});
