import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { parse } from "yaml";
import { operations } from "./operations.ts";
import { matchRoute } from "./routes.ts";

const reference = fileURLToPath(new URL("../../../shared/docker-api/v1.51.yaml", import.meta.url));

describe("the operations of the API", () => {
  test("are those of the reference", { skip: !existsSync(reference) && `${reference} is missing` }, () => {
    const { paths } = parse(readFileSync(reference, "utf8")) as {
      paths: Record<string, Record<string, { tags?: string[] }>>;
    };
    const found = Object.entries(paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, { tags }]) => `${tags?.[0]} ${method.toUpperCase()} ${path}`),
    );
    const known = Object.entries(operations).flatMap(([group, all]) =>
      all.map(([method, path]) => `${group} ${method} ${path}`),
    );
    assert.equal(known.length, 107);
    assert.deepEqual(known.toSorted(), found.toSorted());
  });

  test("have a route each, of their own", () => {
    const names = Object.values(operations)
      .flat()
      .map(([method, path]) => [matchRoute(method, path.replace(/\{\w+\}/g, "x"))?.name, `${method} ${path}`] as const);
    assert.deepEqual(
      names.filter(([name]) => name === undefined).map(([, operation]) => operation),
      [],
    );
    assert.equal(new Set(names.map(([name]) => name)).size, names.length);
  });
});
