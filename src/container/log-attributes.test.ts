import assert from "node:assert/strict";
import { test } from "node:test";
import { logAttributes } from "./log-attributes.ts";
import type { ContainerRecord } from "./record.ts";

const record = {
  id: "0123456789ab".padEnd(64, "c"),
  name: "web",
  image: { id: `sha256:${"d".repeat(64)}`, reference: "nginx:1" },
  request: { labels: { team: "<a&b>", other: "x" }, env: ["A=1", "AB=2", "ALONE"] },
} as unknown as ContainerRecord;

test("nothing is borne that was not asked for", () => {
  assert.equal(logAttributes(record, { "max-size": "1m" }), undefined);
  assert.equal(logAttributes(record, { labels: "absent", env: "ALONE" }), undefined);
});

test("labels and variables by name or pattern, sorted, as Go writes them", () => {
  assert.equal(
    logAttributes(record, { labels: "team,absent", "env-regex": "^A" }),
    '{"A":"1","AB":"2","team":"\\u003ca\\u0026b\\u003e"}',
  );
  assert.equal(logAttributes(record, { "labels-regex": "^o", env: "AB" }), '{"AB":"2","other":"x"}');
});

test("a tag has the fields of Docker's", () => {
  const tag = (text: string) => JSON.parse(logAttributes(record, { tag: text }) ?? "{}").tag;
  assert.equal(tag("{{.Name}}/{{ .ID }}"), "web/0123456789ab");
  assert.equal(tag("{{.ImageName}}@{{.ImageID}}"), "nginx:1@dddddddddddd");
  assert.equal(tag("plain"), "plain");
});
