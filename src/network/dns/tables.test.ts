import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { ownTypes } from "../../kernel/name-table.ts";
import { NameTables } from "./tables.ts";
import { recordTypes } from "./wire.ts";

/** The entries of a table, as docs/formats/names.md describes them. */
const read = (path: string): { type: number; name: string; values: Buffer[] }[] => {
  const bytes = readFileSync(path);
  assert.equal(bytes.toString("latin1", 0, 8), "PIERNAME");
  assert.equal(bytes.readUInt32LE(12), bytes.length);
  const entries = [];
  for (let at = 16; at < bytes.length; at += bytes.readUInt16LE(at)) {
    let value = at + 6 + bytes[at + 4]!;
    const values = Array.from({ length: bytes[at + 5]! }, () => {
      const start = value + 2;
      value = start + bytes.readUInt16LE(value);
      return bytes.subarray(start, value);
    });
    assert.equal(value, at + bytes.readUInt16LE(at));
    entries.push({
      type: bytes.readUInt16LE(at + 2),
      name: bytes.toString("latin1", at + 6, at + 6 + bytes[at + 4]!),
      values,
    });
  }
  return entries;
};

const valuesOf = (path: string, type: number): string[] =>
  read(path)
    .filter((entry) => entry.type === type)
    .flatMap(({ values }) => values.map((value) => value.toString("latin1")));

describe("tables of names", () => {
  const directory = mkdtempSync(join(tmpdir(), "pier-tables-"));
  const tables = new NameTables(join(directory, "names"));
  const own = join(directory, "names/own");
  after(() => rmSync(directory, { recursive: true }));

  test("are files of their owner alone, and whole", () => {
    tables.writeNetwork("n1", "net", [{ names: ["web"], addresses: ["172.18.0.2"] }]);
    tables.writeNetwork("n1", "net", [{ names: ["db"], addresses: ["172.18.0.3"] }]);
    assert.deepEqual(readdirSync(join(directory, "names")), ["n1"]);
    assert.equal(statSync(join(directory, "names/n1")).mode & 0o777, 0o600);
    assert.deepEqual(
      read(join(directory, "names/n1")).map(({ name, type }) => [name, type]),
      [
        ["\x02db\0", recordTypes.a],
        ["\x02db\x03net\0", recordTypes.a],
        ["\x013\x010\x0218\x03172\x07in-addr\x04arpa\0", recordTypes.ptr],
      ],
    );
    tables.removeNetwork("n1");
    tables.removeNetwork("n1");
    assert.deepEqual(readdirSync(join(directory, "names")), []);
    tables.writeNetwork("n2", "net", []);
    tables.writeNetwork("n3", "net", []);
    tables.removeOthers(["n3"]);
    assert.deepEqual(readdirSync(join(directory, "names")), ["n3"]);
  });

  test("lead a container to its networks and to the host's resolvers", () => {
    tables.writeHost([{ address: "192.0.2.1", port: 53 }]);
    tables.writeContainer("own", { networks: ["n1", "n2"], links: [], servers: [], outside: true });
    assert.deepEqual(
      valuesOf(own, ownTypes.table),
      ["n1", "n2", "gateway", "host"].map((name) => join(directory, "names", name)),
    );
    assert.deepEqual(valuesOf(join(directory, "names/host"), ownTypes.server), ["\x00\x00\x35\xc0\x00\x02\x01"]);
    assert.deepEqual(valuesOf(join(directory, "names/host"), ownTypes.resolver), [tables.resolverPath]);
  });

  test("say where this host is, to whoever reaches what lies outside, when no container is called so", () => {
    const gateway = join(directory, "names/gateway");
    const entries = (): (string | number)[][] => read(gateway).map(({ name, type }) => [name, type]);
    tables.writeGateway("172.17.0.1");
    assert.deepEqual(entries(), [["\x04host\x06docker\x08internal\0", recordTypes.a]]);
    assert.deepEqual(valuesOf(gateway, recordTypes.a), ["\xac\x11\x00\x01"]);
    tables.removeOthers(["n3", "own"]);
    assert.equal(entries().length, 1);
    tables.writeGateway("");
    assert.deepEqual(entries(), []);
  });

  test("lead one that named its resolvers to those, in its own network", () => {
    tables.writeContainer("own", {
      networks: ["n1"],
      links: [],
      servers: [{ address: "192.0.2.7", port: 53 }],
      outside: true,
    });
    assert.deepEqual(valuesOf(own, ownTypes.table), [join(directory, "names/n1"), join(directory, "names/gateway")]);
    assert.deepEqual(valuesOf(own, ownTypes.server), ["\x01\x00\x35\xc0\x00\x02\x07"]);
  });

  test("lead one that reaches nothing outside to nobody", () => {
    tables.writeContainer("own", {
      networks: ["n1"],
      links: [],
      servers: [{ address: "192.0.2.7", port: 53 }],
      outside: false,
    });
    assert.deepEqual(valuesOf(own, ownTypes.table), [join(directory, "names/n1")]);
    assert.deepEqual(valuesOf(own, ownTypes.server), []);
  });
});
