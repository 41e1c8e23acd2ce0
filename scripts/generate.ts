/** Writes every generated file from the table it comes from; with `--check`, says which ones are stale and fails. */
import { readFileSync, writeFileSync } from "node:fs";
import { keeperHeader } from "../src/kernel/header.ts";
import { stepsPage } from "../src/kernel/steps-page.ts";
import { apiPage } from "./api-page.ts";
import { errorsPage } from "./errors-page.ts";

const files: Readonly<Record<string, () => string>> = {
  "keeper/steps.h": keeperHeader,
  "docs/steps.md": stepsPage,
  "docs/errors.md": errorsPage,
  "docs/api.md": apiPage,
};

const contentOf = (path: URL): string | undefined => {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
};

const check = process.argv.includes("--check");
for (const [name, make] of Object.entries(files)) {
  const path = new URL(`../${name}`, import.meta.url);
  const content = make();
  if (contentOf(path) === content) continue;
  if (check) {
    console.error(`${name} is stale; type: npm run generate`);
    process.exitCode = 1;
  } else {
    writeFileSync(path, content);
  }
}
