import assert from "node:assert/strict";
import { test } from "node:test";
import { checkEnv, defaultPath, mergeImageEnv, planEnvironment } from "./environment.ts";

const plan = (env: readonly string[], more: { tty?: boolean; exec?: readonly string[]; home?: string } = {}) =>
  planEnvironment({ hostname: "box", tty: false, home: "/root", env, ...more });

test("the defaults come first, what is asked for follows, the home is last", () => {
  assert.deepEqual(plan(["A=1", "B=2"]), [`PATH=${defaultPath}`, "HOSTNAME=box", "A=1", "B=2", "HOME=/root"]);
});

test("a terminal has a type", () => {
  assert.deepEqual(plan([], { tty: true }), [`PATH=${defaultPath}`, "HOSTNAME=box", "TERM=xterm", "HOME=/root"]);
  assert.ok(plan(["TERM=vt100"], { tty: true }).includes("TERM=vt100"));
});

test("a default keeps its place when it is overridden", () => {
  assert.deepEqual(plan(["PATH=/bin", "HOSTNAME=x"]), ["PATH=/bin", "HOSTNAME=x", "HOME=/root"]);
});

test("the later of two entries wins, at the place of the first", () => {
  assert.deepEqual(plan(["A=1", "B=2", "A=3"]).slice(2), ["A=3", "B=2", "HOME=/root"]);
});

test("a name alone removes, and an equals sign in a value is part of it", () => {
  assert.deepEqual(plan(["PATH", "A=b=c", "NOTHING"]), ["HOSTNAME=box", "A=b=c", "HOME=/root"]);
});

test("a home of one's own counts unless it is empty", () => {
  assert.deepEqual(plan(["HOME=/data"]).slice(2), ["HOME=/data"]);
  assert.deepEqual(plan(["HOME="]).slice(2), ["HOME=/root"]);
});

test("a session's entries are over the container's", () => {
  assert.deepEqual(plan(["A=1", "B=2"], { exec: ["B=3", "C=4"] }).slice(2), ["A=1", "B=3", "C=4", "HOME=/root"]);
});

test("what the user asks for stands before what the image has", () => {
  assert.deepEqual(mergeImageEnv(["A=mine", "NEW=1"], ["PATH=/bin", "A=theirs"]), ["A=mine", "NEW=1", "PATH=/bin"]);
  assert.deepEqual(mergeImageEnv(["PATH"], ["PATH=/bin"]), ["PATH"]);
});

test("an entry without a name is refused", () => {
  for (const entry of ["", "=1", "="]) {
    assert.throws(() => checkEnv(["A=1", entry]), { message: `invalid environment variable: ${entry}` });
  }
});
