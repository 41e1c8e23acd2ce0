import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { isHardwareAddress, shortestAddress } from "./addresses.ts";
import { formatMemory, formatSize, parseBytes } from "./bytes.ts";
import { parseCsv } from "./csv.ts";
import { formatAge, parseDuration } from "./duration.ts";
import { encodeFilters, filters } from "./filters.ts";
import { compactJson, indentJson } from "./json.ts";
import { parseMoment } from "./moment.ts";
import { parseInteger, parseUnsigned } from "./numbers.ts";
import { formatPlatform, parsePlatform } from "./platform.ts";
import { quote } from "./quote.ts";
import { familiarName, parseReference } from "./reference.ts";

const eachIs = <T>(read: (text: string) => T, expected: Readonly<Record<string, T>>): void => {
  for (const [text, value] of Object.entries(expected)) assert.deepEqual(read(text), value, text);
};

describe("amounts", () => {
  test("of bytes are read in powers of 1024", () => {
    eachIs(parseBytes, {
      "512": 512,
      "64m": 67108864,
      "64MB": 67108864,
      "1.5GiB": 1610612736,
      "1 k": 1024,
      ".5k": 512,
    });
    for (const text of ["", "x", "-5", "5x", "10gi", "1.5.5g", " 10m", "9999999p"])
      assert.throws(() => parseBytes(text), Error, `"${text}"`);
  });

  test("of bytes are shown in powers of 1000 for sizes, of 1024 for memory", () => {
    assert.deepEqual(
      [0, 999, 1000, 1982984, 4_860_000_000].map((size) => formatSize(size)),
      ["0B", "999B", "1kB", "1.98MB", "4.86GB"],
    );
    assert.equal(formatMemory(25_255_387_136), "23.52GiB");
  });

  test("of time are read with Go's units, exactly", () => {
    eachIs(parseDuration, {
      "5s": 5e9,
      "1m30s": 90e9,
      "1.5h3ms": 5_400_003_000_000,
      "-2us": -2000,
      "0": 0,
      ".5s": 5e8,
      "+1ns": 1,
    });
    for (const text of ["", "5", "5d", ".", "s", "9999999999h", "1s2"])
      assert.throws(() => parseDuration(text), Error, `"${text}"`);
  });

  test("of time are shown as Docker words them", () => {
    const seconds = {
      "Less than a second": 0,
      "1 second": 1,
      "59 seconds": 59,
      "About a minute": 119,
      "2 minutes": 120,
    };
    const hours = { "About an hour": 3600, "2 hours": 2 * 3600, "47 hours": 47 * 3600, "2 days": 48 * 3600 };
    const days = { "2 weeks": 14 * 86400, "2 months": 60 * 86400, "2 years": 730 * 86400 };
    for (const [text, age] of Object.entries({ ...seconds, ...hours, ...days })) assert.equal(formatAge(age), text);
  });
});

describe("numbers", () => {
  test("may be written as in Go", () => {
    eachIs(parseInteger, {
      "0x10": 16,
      "010": 8,
      "0o10": 8,
      "0b11": 3,
      "1_000": 1000,
      "-5": -5,
      "+5": 5,
      "0": 0,
      "-0": 0,
    });
  });

  test("that a JSON number cannot hold are refused", () => {
    assert.throws(() => parseInteger("9007199254740993"), /value out of range/);
    assert.throws(() => parseInteger("08"), /invalid syntax/);
    assert.throws(() => parseUnsigned("65536", 16), /value out of range/);
    assert.throws(() => parseUnsigned("-1"), /invalid syntax/);
  });
});

describe("names", () => {
  test("of images are completed as Docker completes them", () => {
    const read = (text: string) => {
      const { name, tag, digest } = parseReference(text);
      return [name, tag, digest];
    };
    const digest = `sha256:${"0123456789abcdef".repeat(4)}`;
    eachIs(read, {
      busybox: ["docker.io/library/busybox", undefined, undefined],
      "a/b:c": ["docker.io/a/b", "c", undefined],
      "localhost/x": ["localhost/x", undefined, undefined],
      "localhost:5000/x:1": ["localhost:5000/x", "1", undefined],
      "[::1]:5000/x": ["[::1]:5000/x", undefined, undefined],
      "index.docker.io/x": ["docker.io/library/x", undefined, undefined],
      [`a.b/c:d@${digest}`]: ["a.b/c", "d", digest],
    });
    for (const text of ["", "A", "a//b", "a:", "a___b", ".a", "-a", "a@sha256:12", `a:${"x".repeat(129)}`, "a/B"]) {
      assert.throws(() => parseReference(text), /invalid reference format/, text);
    }
  });

  test("of images are shown without Docker Hub's parts", () => {
    eachIs(familiarName, { "docker.io/library/a": "a", "docker.io/a/b": "a/b", "x.y/library/a": "x.y/library/a" });
  });

  test("of platforms are brought into one form", () => {
    eachIs((text) => formatPlatform(parsePlatform(text)), {
      "linux/amd64": "linux/amd64",
      "Linux/x86_64": "linux/amd64",
      "linux/aarch64": "linux/arm64",
      "linux/arm64/v8": "linux/arm64",
      "linux/arm/v7": "linux/arm/v7",
      "linux/arm/6": "linux/arm/v6",
      arm64: "linux/arm64",
    });
    assert.throws(() => parsePlatform("bogus"), /"bogus": unknown operating system or architecture/);
    assert.throws(() => parsePlatform("a/b/c/d"), /cannot parse platform specifier/);
  });

  test("of hosts: hardware addresses in every notation, internet addresses in their shortest", () => {
    for (const text of ["02:42:AC:11:00:02", "02-42-ac-11-00-02", "0242.ac11.0002", "02:00:00:00:00:00:00:01"])
      assert.ok(isHardwareAddress(text), text);
    for (const text of ["", "02:42:ac:11:00", "02:42:ac:11:00:0g", "0242.ac11", "02-42:ac:11:00:02"])
      assert.ok(!isHardwareAddress(text), text);
    eachIs(shortestAddress, { "2001:DB8:0:0::1": "2001:db8::1", "::ffff:1.2.3.4": "1.2.3.4", "1.2.3.4": "1.2.3.4" });
  });
});

describe("texts", () => {
  test("are quoted as Go quotes them", () => {
    eachIs(quote, {
      'a"b\\': '"a\\"b\\\\"',
      "\n\t\x00\x1b": '"\\n\\t\\x00\\x1b"',
      "ä€🙂": '"ä€🙂"',
      "\u200b\u00a0": '"\\u200b\\u00a0"',
    });
  });

  test("with commas are cut into fields; quotes keep commas and quotes", () => {
    eachIs(parseCsv, { "a,b": ["a", "b"], a: ["a"], "a,": ["a", ""], '"a,b",c': ["a,b", "c"], '"a""b"': ['a"b'] });
    for (const text of ["", 'a"b', '"a', '"a"b']) assert.throws(() => parseCsv(text), Error, `"${text}"`);
  });

  test("of JSON are laid out without being changed", () => {
    const text = '{ "big": 18446744073709551615, "s": "a\\u003c, {\\"", "e": [], "o": {}, "l": [1,\n true] }';
    assert.equal(compactJson(text), '{"big":18446744073709551615,"s":"a\\u003c, {\\"","e":[],"o":{},"l":[1,true]}');
    assert.equal(
      indentJson(text),
      '{\n    "big": 18446744073709551615,\n    "s": "a\\u003c, {\\"",\n    "e": [],\n    "o": {},\n    "l": [\n        1,\n        true\n    ]\n}',
    );
    assert.throws(() => compactJson("{bad"));
  });

  test("of filters become the API's map", () => {
    const given = ["name=b", "name=a", "Label = x=y "].reduce(
      (before, one) => filters.read(one, before),
      filters.initial,
    );
    assert.equal(encodeFilters(given), '{"label":{"x=y":true},"name":{"a":true,"b":true}}');
    assert.equal(encodeFilters(filters.initial), undefined);
    assert.throws(() => filters.read("bad", filters.initial), /expected name=value/);
  });

  test("of moments become seconds since 1970", () => {
    const now = Date.UTC(2026, 0, 1);
    assert.equal(parseMoment("10m", now), String(now / 1000 - 600));
    assert.equal(parseMoment("2024-01-01T00:00:00.5Z"), "1704067200.500000000");
    assert.equal(parseMoment("2024-01-01T01:00:00+01:00"), "1704067200.000000000");
    eachIs(parseMoment, { "1700000000": "1700000000", "1700000000.25": "1700000000.25", "": "", "0": "0" });
    assert.throws(() => parseMoment("bogus"), /failed to parse value as time or duration: "bogus"/);
  });
});
