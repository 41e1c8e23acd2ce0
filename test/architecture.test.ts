/** The floors of the house: imports point down, rooms on one floor do not know each other, one file knows the runtime. */
import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";

const source = fileURLToPath(new URL("../src", import.meta.url));

/** The rooms of each floor, the highest first; `base` is the ground on which `api` and `format` stand. */
const floors: readonly (readonly string[])[] = [
  ["cli", "compose", "ui"],
  ["daemon"],
  ["build", "backup", "machine"],
  ["container"],
  ["image", "network", "volume"],
  ["registry"],
  ["kernel"],
  ["api", "format"],
  ["base"],
];
const clients = floors[0] ?? [];
const seenByClients = ["api", "format", "base"];

/** The one file that may speak to Bun itself. */
const platform = "base/platform.ts";

const floorOf = (room: string): number => floors.findIndex((rooms) => rooms.includes(room));
const roomOf = (file: string): string => file.split("/")[0] ?? "";
const isInRoom = (file: string): boolean => file.includes("/");

const files = readdirSync(source, { recursive: true })
  .map(String)
  .filter((file) => file.endsWith(".ts"))
  .sort();
const textOf = (file: string): string => readFileSync(join(source, file), "utf8");

// Comments and strings may speak of anything; what is imported stands in a string, and is looked for first.
const imports = (text: string): string[] =>
  [...text.matchAll(/(?<!["-])\b(?:from|import|import\()\s*"([^"\n]+)"/g)].flatMap(([, specifier]) => specifier ?? []);
const codeOf = (text: string): string =>
  text.replace(/\/\*[\s\S]*?\*\/|(^|[^:])\/\/.*$|"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'/gm, "$1");

/** Every import of a room's file from another room of `src`: [importing file, imported file]. */
const edges = files.filter(isInRoom).flatMap((file) =>
  imports(textOf(file))
    .filter((specifier) => specifier.startsWith("."))
    .map((specifier) => [file, relative(source, join(source, dirname(file), specifier))] as const)
    .filter(([from, to]) => roomOf(from) !== roomOf(to)),
);

const list = (edges: readonly (readonly [string, string])[]): string[] => edges.map(([from, to]) => `${from} → ${to}`);

describe("the house", () => {
  test("every room stands on a floor", () => {
    const rooms = new Set(files.filter(isInRoom).map(roomOf));
    assert.deepEqual(
      [...rooms].filter((room) => floorOf(room) === -1),
      [],
    );
  });

  test("imports point down, and rooms on one floor do not know each other", () => {
    const wrong = edges.filter(([from, to]) => to.startsWith("..") || floorOf(roomOf(to)) <= floorOf(roomOf(from)));
    assert.deepEqual(list(wrong), []);
  });

  test("clients see the API, the formats and the base only", () => {
    const wrong = edges.filter(([from, to]) => clients.includes(roomOf(from)) && !seenByClients.includes(roomOf(to)));
    assert.deepEqual(list(wrong), []);
  });

  test("only the platform file speaks to Bun itself", () => {
    const wrong = files.filter(
      (file) =>
        file !== platform &&
        (/\bBun\b/.test(codeOf(textOf(file))) || imports(textOf(file)).some((name) => /^bun(:|$)/.test(name))),
    );
    assert.deepEqual(wrong, []);
  });

  test("what is imported from elsewhere is Node's own or a dependency", () => {
    const allowed: Record<string, unknown> = JSON.parse(
      readFileSync(join(source, "../package.json"), "utf8"),
    ).dependencies;
    const foreign = files
      .filter((file) => !file.endsWith(".test.ts"))
      .flatMap((file) => imports(textOf(file)).map((specifier) => [file, specifier] as const))
      .filter(([, name]) => !name.startsWith(".") && !name.startsWith("node:"))
      .filter(([, name]) => allowed[name.split("/", name.startsWith("@") ? 2 : 1).join("/")] === undefined);
    assert.deepEqual(list(foreign), []);
  });
});

describe("habits", () => {
  test("no room for what has no name, and no barrel files", () => {
    const nameless = /(^|\/)(utils?|common|helpers?|misc|index)(\.ts$|\/)/;
    assert.deepEqual(
      files.filter((file) => nameless.test(file)),
      [],
    );
  });

  test("no enum, no default export, no any", () => {
    const wrong = files.flatMap((file) => {
      const code = codeOf(textOf(file));
      return [/\benum \w+ \{/, /\bexport default\b/, /(:|\bas|<) ?any\b(?! [a-z])/]
        .filter((pattern) => pattern.test(code))
        .map((pattern) => `${file}: ${pattern.source}`);
    });
    assert.deepEqual(wrong, []);
  });
});

describe("documents", () => {
  test("every test that the threat table names is there", () => {
    const checkout = join(source, "..");
    const text = readFileSync(join(checkout, "docs/security.md"), "utf8");
    const cells = [...text.matchAll(/^\|[^|]*\|([^|]*)\|$/gm)].map(([, cell = ""]) => cell);
    const table = cells.slice(cells.findIndex((cell) => cell.includes("shown by")));
    const named = table.flatMap((cell) =>
      [...cell.matchAll(/`([a-z]+(?:\/[a-z-]+)+|[a-z]+)`/g)].map(([, name = ""]) => name),
    );
    const missing = named
      .map((name) => (name.includes("/") ? name : `test/escape/${name}`))
      .filter((name) => !existsSync(join(checkout, `${name}.test.ts`)));
    assert.ok(named.length > 60);
    assert.deepEqual(missing, []);
  });
});
