import assert from "node:assert/strict";
import { test } from "node:test";
import { parseProcesses } from "./processes.ts";

const output = `UID          PID    PPID  C STIME TTY          TIME CMD
root           1       0  0 10:00 ?        00:00:01 /sbin/init splash
root         200       1  0 10:01 ?        00:00:00 sh -c sleep  10; echo
root        2000       1  0 10:01 ?        00:00:00 other
`;

test("only the container's processes are listed, and a command keeps its words", () => {
  assert.deepEqual(parseProcesses(output, new Set([200])), {
    Titles: ["UID", "PID", "PPID", "C", "STIME", "TTY", "TIME", "CMD"],
    Processes: [["root", "200", "1", "0", "10:01", "?", "00:00:00", "sh -c sleep 10; echo"]],
  });
});

test("a table without pids is none", () => {
  assert.equal(parseProcesses("CMD\nsh\n", new Set([1])), undefined);
});
