import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Log } from "./log.ts";

const lines = (level: "debug" | "warn", work: (log: Log) => void): string[] => {
  const written: string[] = [];
  work(new Log(level, (line) => written.push(line)));
  return written;
};

describe("the log", () => {
  it("writes what is at least as grave as asked", () => {
    const written = lines("warn", (log) => {
      log.info("quiet");
      log.warn("loud");
    });
    assert.equal(written.length, 1);
    assert.match(written[0]!, /^\d{4}-\d\d-\d\dT[\d:.]+Z warn loud\n$/);
  });

  it("keeps an entry on one line, and no terminal obeys it", () => {
    const [line] = lines("debug", (log) => log.debug("a\nb\x1b[31m\u009b"));
    assert.equal(line!.indexOf("\n"), line!.length - 1);
    assert.doesNotMatch(line!.slice(0, -1), /[\u0000-\u001f\u007f-\u009f]/);
  });

  it("tells the causes of an error", () => {
    const [line] = lines("debug", (log) => log.error("what", new Error("outer", { cause: new Error("inner") })));
    assert.match(line!, /outer.*caused by.*inner/);
  });
});
