import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Named } from "./answers.ts";
import { type BookEntry, type Listing, NameBook } from "./book.ts";
import type { ContainerNames, NameTables } from "./tables.ts";

/** Tables in memory: what was written last under each id. */
const written = () => {
  const networks = new Map<string, readonly Named[]>();
  const containers = new Map<string, ContainerNames>();
  const tables: Pick<
    NameTables,
    "writeNetwork" | "removeNetwork" | "writeContainer" | "removeContainer" | "removeOthers"
  > = {
    writeNetwork: (id, _name, named) => networks.set(id, named),
    removeNetwork: (id) => networks.delete(id),
    writeContainer: (id, names) => containers.set(id, names),
    removeContainer: (id) => containers.delete(id),
    removeOthers: () => {},
  };
  return { networks, containers, tables: tables as NameTables };
};

const listing = (network: string, name: string, links: Listing["links"] = []): Listing => ({
  networkId: `${network} id`,
  network,
  names: [name],
  addresses: [`address of ${name}`],
  links,
});
const entry = (container: string, ...listings: Listing[]): BookEntry => ({
  container,
  listings,
  servers: [],
  outside: true,
});

describe("the book of names", () => {
  test("has who entered in each of its networks, until it leaves", () => {
    const { networks, containers, tables } = written();
    const book = new NameBook(tables);
    book.enter(entry("1", listing("a", "web"), listing("b", "web")));
    book.enter(entry("2", listing("a", "db")));
    assert.deepEqual(
      networks.get("a id")?.map(({ names }) => names[0]),
      ["web", "db"],
    );
    assert.deepEqual(
      networks.get("b id")?.map(({ names }) => names[0]),
      ["web"],
    );
    assert.deepEqual(containers.get("1")?.networks, ["a id", "b id"]);
    book.leave("1");
    assert.deepEqual(
      networks.get("a id")?.map(({ names }) => names[0]),
      ["db"],
    );
    assert.equal(networks.has("b id"), false);
    assert.equal(containers.has("1"), false);
    book.leave("1");
  });

  test("forgets what one was called before", () => {
    const { networks, tables } = written();
    const book = new NameBook(tables);
    book.enter(entry("1", listing("a", "web"), listing("b", "web")));
    book.enter(entry("1", listing("a", "www")));
    assert.deepEqual(
      [...networks].map(([id, named]) => [id, named[0]?.names[0]]),
      [["a id", "www"]],
    );
  });

  test("lets one call others by names of his own, also when these come later or come back", () => {
    const { containers, tables } = written();
    const book = new NameBook(tables);
    const links = [
      { alias: "db", target: "postgres" },
      { alias: "gone", target: "nobody" },
    ];
    book.enter(entry("1", listing("a", "web", links)));
    assert.deepEqual(containers.get("1")?.links, []);
    book.enter(entry("2", listing("a", "postgres")));
    assert.deepEqual(containers.get("1")?.links, [{ names: ["db"], addresses: ["address of postgres"] }]);
    book.leave("2");
    assert.deepEqual(containers.get("1")?.links, []);
  });

  test("is as it was when the next daemon opens it", () => {
    const { networks, containers, tables } = written();
    const book = new NameBook(tables);
    book.open([entry("1", listing("a", "web")), entry("2", listing("a", "db"))]);
    assert.equal(networks.get("a id")?.length, 2);
    assert.equal(containers.size, 2);
  });
});
