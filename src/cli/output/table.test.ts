import assert from "node:assert/strict";
import { test } from "node:test";
import { harmless } from "../streams/output.ts";
import { alignColumns, ellipsis, formatTable, shortId } from "./table.ts";

test("columns are as wide as their widest cell and 3 blanks, and at least 10", () => {
  assert.equal(
    formatTable([
      ["ID", "NAMES"],
      ["1234567890", "x"],
    ]),
    "ID           NAMES\n1234567890   x\n",
  );
  assert.equal(
    formatTable([
      ["TAG", "SIZE"],
      ["1", "2"],
    ]),
    "TAG       SIZE\n1         2\n",
  );
  assert.equal(formatTable([["PID", "CMD"]], 20), `${"PID".padEnd(20)}CMD\n`);
});

test("a last cell has no width, unless a tab ends it", () => {
  assert.equal(alignColumns("a\tb\nc\ta longer one\n"), "a         b\nc         a longer one\n");
  assert.equal(alignColumns("a\t\nb\t\n"), "a         \nb         \n");
});

test("a column reaches no further than the lines that have it", () => {
  assert.equal(alignColumns("a long heading\tb\nno columns\nx\ty\n"), "a long heading   b\nno columns\nx         y\n");
});

test("characters count, not bytes", () => {
  assert.equal(
    formatTable([
      ['"sh -c …"', "x"],
      ['"sh -c ab"', "y"],
    ]),
    '"sh -c …"    x\n"sh -c ab"   y\n',
  );
});

test("an ellipsis stands for what is left out", () => {
  assert.equal(ellipsis("sh -c 'while true; do", 20), "sh -c 'while true; …");
  assert.equal(ellipsis("twenty characters ok", 20), "twenty characters ok");
  assert.equal(ellipsis("ééé", 2), "é…");
});

test("an id is short without its algorithm", () => {
  assert.equal(shortId("sha256:fb46cfd4214fc6b31a1efd6bbdcd179a"), "fb46cfd4214f");
  assert.equal(shortId("fb46cfd4214fc6b31a1efd6bbdcd179a"), "fb46cfd4214f");
});

test("control characters of names do not reach a terminal", () => {
  assert.equal(harmless("a\x1b[2J\x07b\u009bc\x7f\td\n"), "a[2Jbc\td\n");
});
