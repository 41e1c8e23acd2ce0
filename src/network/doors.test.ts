import assert from "node:assert/strict";
import { test } from "node:test";
import { parseDoor } from "./doors.ts";

const accept = [
  ["-i", "pier+", "-j", "ACCEPT"],
  ["-o", "pier+", "-j", "ACCEPT"],
];

test("a chain that lets everything pass needs no rule", () => {
  assert.deepEqual(parseDoor("-P FORWARD ACCEPT\n-A FORWARD -j DOCKER-USER\n", "pier"), {
    drops: false,
    missing: [],
    present: [],
    isShut: false,
  });
});

test("one that drops gets a rule for each side at its end, each once", () => {
  const before = "-P FORWARD DROP\n-A FORWARD -j DOCKER-USER\n-A FORWARD -i docker0 ! -o docker0 -j ACCEPT\n";
  assert.deepEqual(parseDoor(before, "pier").missing, accept);
  const one = `${before}-A FORWARD -i pier+ -j ACCEPT\n`;
  assert.deepEqual(parseDoor(one, "pier").missing, accept.slice(1));
  assert.deepEqual(parseDoor(`${one}-A FORWARD -o pier+ -j ACCEPT\n`, "pier").present, accept);
});

test("rules of another daemon are not taken for ours", () => {
  const text = "-P FORWARD DROP\n-A FORWARD -i pier+ -j ACCEPT\n";
  assert.deepEqual(parseDoor(text, "pr12345").present, []);
  assert.equal(parseDoor(text, "pr12345").missing.length, 2);
});

test("behind a rule that stops everything none is of use", () => {
  const text = "-P FORWARD DROP\n-A FORWARD -j REJECT --reject-with icmp-host-prohibited\n";
  assert.deepEqual(parseDoor(text, "pier"), { drops: true, missing: [], present: [], isShut: true });
});
