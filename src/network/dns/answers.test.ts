import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { nameEntries } from "./answers.ts";
import { encodeAddress, encodeName, recordTypes, reverseName } from "./wire.ts";

const web = { names: ["web", "0123456789ab", "www"], addresses: ["172.18.0.2", "fd00::2"] };
const other = { names: ["web2", "abcdefabcdef", "WWW"], addresses: ["172.18.0.3"] };

/** The values of a name and type, as text. */
const means = (entries: ReturnType<typeof nameEntries>, name: string, type: number): string[] =>
  entries
    .filter((entry) => entry.type === type && Buffer.from(entry.name).equals(encodeName(name)!))
    .flatMap(({ values }) =>
      values.map((value) => (type === recordTypes.a ? value.join(".") : Buffer.from(value).toString("latin1"))),
    );

describe("the names of a network", () => {
  const entries = nameEntries("net", [web, other]);

  test("are each container's name, short id and aliases, alone and with the network's behind it", () => {
    for (const name of ["web", "0123456789ab", "web.net", "0123456789ab.net", "www.net"]) {
      assert.ok(means(entries, name, recordTypes.a).includes("172.18.0.2"), name);
    }
    assert.equal(means(entries, "web", recordTypes.aaaa).length, 1);
    assert.deepEqual(means(entries, "web2", recordTypes.aaaa), []);
  });

  test("mean every container that has them, whatever the case", () => {
    assert.deepEqual(means(entries, "www", recordTypes.a), ["172.18.0.2", "172.18.0.3"]);
  });

  test("are found from the address too, of either family", () => {
    assert.deepEqual(means(entries, "2.0.18.172.in-addr.arpa", recordTypes.ptr), ["\x03web\x03net\x00"]);
    assert.deepEqual(means(entries, reverseName(encodeAddress("fd00::2")!), recordTypes.ptr), ["\x03web\x03net\x00"]);
  });

  test("are left out where DNS cannot say them", () => {
    const odd = nameEntries("net", [{ names: ["x".repeat(64), "a..b", ""], addresses: ["172.18.0.4", "nonsense"] }]);
    assert.deepEqual(odd, []);
  });
});

describe("an address on the wire", () => {
  test("has four or sixteen bytes in every spelling", () => {
    assert.deepEqual([...encodeAddress("10.1.2.3")!], [10, 1, 2, 3]);
    for (const spelling of ["2001:db8::ff:1", "2001:0DB8:0:0:0:0:00ff:1", "2001:db8::0:255.0.1%eth0"]) {
      const bytes = encodeAddress(spelling);
      if (spelling.includes("%")) assert.equal(bytes, undefined);
      else
        assert.equal(
          Buffer.from(bytes!).toString("hex"),
          "20010db800000000000000000ff0001".replace("0ff0001", "00ff0001"),
        );
    }
    assert.equal(Buffer.from(encodeAddress("::ffff:10.0.0.1")!).toString("hex"), "00000000000000000000ffff0a000001");
    assert.equal(encodeAddress("10.1.2"), undefined);
  });

  test("is asked for backwards", () => {
    assert.equal(reverseName(encodeAddress("10.1.2.3")!), "3.2.1.10.in-addr.arpa");
    assert.equal(reverseName(encodeAddress("2001:db8::1")!), `1.${"0.".repeat(23)}8.b.d.0.1.0.0.2.ip6.arpa`);
  });
});
