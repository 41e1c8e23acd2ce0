import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { parseTarget } from "./call.ts";
import { Query } from "./query.ts";

describe("a query", () => {
  it("takes everything for true but what plainly is not", () => {
    const query = new Query("a=1&b=0&c=false&d=No&e=&f=none&g=yes&h=2");
    const flags = ["a", "b", "c", "d", "e", "f", "g", "h", "absent"].map((name) => query.flag(name));
    assert.deepEqual(flags, [true, false, false, false, false, false, true, true, false]);
    assert.equal(query.flag("absent", true), true);
  });

  it("does not read what its client cannot mean", () => {
    assert.equal(new Query("signal=KILL&t=1", ["signal"]).text("signal"), "");
    assert.equal(parseTarget("POST", "/v1.41/containers/c/stop?signal=KILL").query.text("signal"), "");
    assert.equal(parseTarget("POST", "/v1.42/containers/c/stop?signal=KILL").query.text("signal"), "KILL");
  });

  it("reads whole numbers and nothing else", () => {
    const query = new Query("t=10&n=-1&x=ten&f=1.5&big=99999999999999999999&hex=0x10");
    assert.equal(query.integer("t"), 10);
    assert.equal(query.integer("n"), -1);
    assert.equal(query.integer("absent"), undefined);
    for (const name of ["x", "f", "big", "hex"])
      assert.throws(() => query.integer(name), { status: 400, message: /is not a whole number/ });
  });

  it("reads times to the nanosecond", () => {
    const query = new Query("since=1795483503.416724753&short=5.5&zero=0&bad=yesterday");
    assert.equal(query.time("since"), 1_795_483_503_416_724_753n);
    assert.equal(query.time("short"), 5_500_000_000n);
    assert.equal(query.time("zero"), 0n);
    assert.equal(query.time("absent"), undefined);
    assert.throws(() => query.time("bad"), { status: 400 });
  });
});
