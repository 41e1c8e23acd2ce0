/** The log that keepers write: Docker's json-file format, byte for byte. Needs root. */
import assert from "node:assert/strict";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { after, before, describe, test } from "node:test";
import { gunzipSync } from "node:zlib";
import { namespaces } from "../../src/kernel/numbers/namespaces.ts";
import type { Step } from "../../src/kernel/steps.ts";
import { cannotKeep, codeOf, Keepers, parentOf, probe, until } from "./keepers.ts";

const isLong = process.env.PIER_LONG === "1";
const escapes: Readonly<Record<number, string>> = { 10: "\\n", 13: "\\r", 34: '\\"', 92: "\\\\" };
const hidden = new Set("<>&\u2028\u2029");

/** The length of a well-formed UTF-8 sequence at the start, or 0: only such a one decodes to a single character. */
const sequenceAt = (bytes: Buffer, at: number): number => {
  for (const size of [2, 3, 4]) {
    const text = bytes.subarray(at, at + size).toString();
    if (at + size <= bytes.length && [...text].length === 1 && text !== "\ufffd") return size;
    if (text === "\ufffd" && bytes.subarray(at, at + 3).equals(Buffer.from("\ufffd"))) return 3;
  }
  return 0;
};

/** As Docker's encoder writes bytes as a string of JSON (daemon/logger/jsonfilelog/jsonlog/jsonlogbytes.go). */
const dockerText = (bytes: Buffer): string => {
  let text = "";
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at]!;
    const size = byte < 0x80 ? 1 : sequenceAt(bytes, at);
    const character = bytes.subarray(at, at + size).toString();
    if (escapes[byte] !== undefined) text += escapes[byte];
    else if (size === 0) text += "\\ufffd";
    else if (byte < 0x20 || hidden.has(character))
      text += `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
    else text += character;
    at += Math.max(size, 1) - 1;
  }
  return text;
};

const limit = 16384;

/** The records of one stream's bytes, with `T` for every time: lines, and pieces of those that are too long. */
const dockerRecords = (bytes: Buffer, stream = "stdout"): string[] => {
  const records: string[] = [];
  for (let at = 0; at < bytes.length; ) {
    const newline = bytes.subarray(at, at + limit).indexOf(0x0a);
    const end = newline >= 0 ? at + newline + 1 : Math.min(at + limit, bytes.length);
    records.push(`{"log":"${dockerText(bytes.subarray(at, end))}","stream":"${stream}","time":"T"}`);
    at = end;
  }
  return records;
};

const time = /"time":"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{0,8}[1-9])?Z)"\}$/;

const linesOf = (log: string): string[] => {
  const text = readFileSync(log, "utf8");
  assert.ok(text === "" || text.endsWith("\n"));
  return text.split("\n").slice(0, -1);
};

const recordsOf = (log: string): string[] =>
  linesOf(log).map((line) => {
    assert.match(line, time);
    return line.replace(time, '"time":"T"}');
  });

const numbersIn = (log: string): number[] => linesOf(log).map((line) => Number(/line (\d+)/.exec(line)![1]));

const range = (first: number, last: number): number[] =>
  Array.from({ length: last - first + 1 }, (_, index) => first + index);

describe("the log", { skip: cannotKeep }, () => {
  let keepers: Keepers;
  before(async () => {
    keepers = await Keepers.open();
  });
  after(() => keepers[Symbol.asyncDispose]());

  const logged = async (args: readonly string[], log: { path?: string; maxSize?: number; maxFiles?: number } = {}) => {
    const container = await keepers.run(args, { log });
    assert.equal(codeOf(await container.keeper.exited), 0);
    await container.keeper.closed;
    return container.log;
  };

  const loggedBytes = (bytes: Buffer): Promise<string> => {
    const path = keepers.path("content");
    writeFileSync(path, bytes);
    return logged([probe, "cat", path]);
  };

  /** The files of a log, the oldest first. */
  const numbered = (log: string): string[] =>
    readdirSync(dirname(log))
      .filter((name) => name === basename(log) || name.startsWith(`${basename(log)}.`))
      .sort((a, b) => Number(b.split(".")[1] ?? 0) - Number(a.split(".")[1] ?? 0))
      .map((name) => join(dirname(log), name));

  test("writes every byte as Docker does", async () => {
    const bytes = Buffer.concat([
      Buffer.from(Array.from({ length: 256 }, (_, byte) => byte)),
      ...Array.from({ length: 256 }, (_, byte) => Buffer.from([byte, 0x0a, 0x61, byte, 0x62, 0x0a])),
      Buffer.from('<b>&\u2028\u2029\u2027\u202a é 漢 😀 \u007f\u0080 \ufffd \ufffe\\"\t\r\n\n'),
      // Overlong, surrogates, beyond the last character, cut off.
      Buffer.from("c080e08080ed9fbfeda080edbfbff08080807ff48fbfbff4908080f5808080e2800af09f98e2820ae282", "hex"),
    ]);
    assert.deepEqual(recordsOf(await loggedBytes(bytes)), dockerRecords(bytes));
  });

  test("cuts long lines where Docker does", async () => {
    const lengths = [16383, 16384, 16385, 1, 32767, 32768, 32769, 100_000, 0, 0, 16384];
    const lines = lengths.map((length, index) => "abcdefghijk"[index]!.repeat(length));
    const cut = `${"x".repeat(16383)}é${"y".repeat(16382)}\u2028`;
    for (const last of ["", "the rest", "z".repeat(16384), "z".repeat(16385)]) {
      const bytes = Buffer.from(`${lines.join("\n")}\n${cut}\n${last}`);
      const log = await loggedBytes(bytes);
      assert.deepEqual(recordsOf(log), dockerRecords(bytes));
    }
  });

  test("gives all pieces of a line one time", async () => {
    const log = await loggedBytes(Buffer.from(`${"x".repeat(100_000)}\nshort\n`));
    const times = linesOf(log).map((line) => time.exec(line)![1]);
    assert.equal(new Set(times.slice(0, 7)).size, 1);
    assert.notEqual(times[7], times[6]);
  });

  test("tells the streams apart, each with its own unfinished line", async () => {
    const log = await logged([
      "/bin/sh",
      "-c",
      "printf one; printf two >&2; sleep 0; printf ' more\\nlast'; printf end >&2",
    ]);
    const both = [...dockerRecords(Buffer.from("one more\nlast")), ...dockerRecords(Buffer.from("twoend"), "stderr")];
    assert.deepEqual(recordsOf(log).sort(), both.sort());
  });

  test("goes on in the file that is there", async () => {
    const path = keepers.path("log");
    await logged(["/bin/echo", "first"], { path });
    await logged(["/bin/echo", "second"], { path });
    assert.deepEqual(recordsOf(path), dockerRecords(Buffer.from("first\nsecond\n")));
    assert.equal(statSync(path).mode & 0o777, 0o640);
  });

  test("says when, in order, and with no zeroes at the end", async () => {
    const began = Date.now();
    const log = await logged([probe, "lines", "20000"]);
    const times = linesOf(log).map((line) => time.exec(line)![1]!);
    const padded = times.map((text) => text.replace(/(\.\d+)?Z$/, (_, digits = ".") => digits.padEnd(10, "0")));
    assert.deepEqual(padded, padded.toSorted());
    assert.ok(Date.parse(times[0]!) >= began - 1 && Date.parse(times.at(-1)!) <= Date.now() + 1);
    assert.ok(times.some((text) => text.length < "2026-01-01T00:00:00.000000000Z".length));
  });

  describe("rotated", () => {
    test("loses and doubles nothing", async () => {
      const maxSize = 256 << 10;
      const log = await logged([probe, "lines", "100000"], { maxSize, maxFiles: 100 });
      const files = numbered(log);
      assert.ok(files.length > 20);
      assert.deepEqual(files.flatMap(numbersIn), range(1, 100_000));
      for (const file of files.slice(0, -1)) {
        // Full, by less than one record.
        const { size } = statSync(file);
        assert.ok(size >= maxSize && size < maxSize + 100, `${file}: ${size}`);
      }
    });

    test("loses and doubles nothing of a gibibyte of lines", {
      skip: !isLong && "takes a minute; set PIER_LONG=1",
    }, async () => {
      const count = 14_000_000;
      const log = await logged([probe, "lines", String(count)], { maxSize: 20_000_000, maxFiles: 10_000 });
      let [last, size] = [0, 0];
      for (const file of numbered(log)) {
        for (const [, number] of readFileSync(file, "latin1").matchAll(/line (\d+)/g)) {
          if (Number(number) !== ++last) assert.fail(`${number} instead of ${last} in ${file}`);
        }
        size += statSync(file).size;
      }
      assert.equal(last, count);
      assert.ok(size >= 2 ** 30, `${size} bytes`);
    });

    test("keeps as many files as it was told, the newest", async () => {
      const log = await logged([probe, "lines", "20000"], { maxSize: 100_000, maxFiles: 3 });
      assert.deepEqual(numbered(log), [`${log}.2`, `${log}.1`, log]);
      const numbers = numbered(log).flatMap(numbersIn);
      assert.deepEqual(numbers, range(numbers[0]!, 20_000));
    });

    test("to one file begins it again", async () => {
      const log = await logged([probe, "lines", "20000"], { maxSize: 100_000, maxFiles: 1 });
      assert.deepEqual(numbered(log), [log]);
      const numbers = numbersIn(log);
      assert.deepEqual(numbers, range(numbers[0]!, 20_000));
      assert.ok(statSync(log).size < 100_100);
    });

    test("by every line, when a file holds no more", async () => {
      const log = await logged([probe, "lines", "10"], { maxSize: 1, maxFiles: 4 });
      assert.deepEqual(numbered(log).map(numbersIn), [[7], [8], [9], [10]]);
    });
  });

  describe("compressed", () => {
    /** The names in the log's directory that begin with its own, what follows the own name. */
    const endings = (log: string): string[] =>
      readdirSync(dirname(log))
        .filter((name) => name.startsWith(basename(log)))
        .map((name) => name.slice(basename(log).length))
        .sort();
    const text = (path: string): string =>
      path.endsWith(".gz") ? gunzipSync(readFileSync(path)).toString() : readFileSync(path, "utf8");
    const numbers = (path: string): number[] =>
      Array.from(text(path).matchAll(/line (\d+)/g), ([, number]) => Number(number));
    const compressed: readonly Step[] = [{ step: "compressLog" }];

    test("loses and doubles nothing, in files that bear their number and their time", async () => {
      const container = await keepers.run(["/bin/sh", "-c", `${probe} lines 20000; read rest`], {
        log: { maxSize: 500_000, maxFiles: 9 },
        stdin: "open",
        outside: compressed,
      });
      const { log } = container;
      const isDone = () => endings(log).length > 2 && endings(log).every((ending) => /^$|^\.\d\.gz$/.test(ending));
      await until(isDone, () => `not compressed: ${endings(log)}`);
      const files = endings(log)
        .reverse()
        .map((ending) => log + ending);
      assert.deepEqual(files.flatMap(numbers), range(1, 20_000));
      for (const file of files.slice(0, -1)) {
        const bytes = readFileSync(file);
        assert.equal(bytes.toString("latin1", 12, 14), "PI");
        assert.equal(Number(bytes.readBigUInt64LE(24)), text(file).length);
        const last = Date.parse(JSON.parse(text(file).trimEnd().split("\n").at(-1)!).time);
        assert.ok(Math.abs(statSync(file).mtimeMs - last) < 1000);
      }
      await container.keeper.signal(9);
      await container.keeper.closed;
    });

    test("keeps as many files as it was told, and what another keeper left is compressed by the next", async () => {
      const path = keepers.path("log");
      const leftovers = { [`${path}.1`]: "line 2\n", [`${path}.2.gz`]: "line 1\n", [`${path}.gz.new`]: "half" };
      for (const [name, content] of Object.entries(leftovers)) writeFileSync(name, content);
      const container = await keepers.run(["/bin/cat"], {
        log: { path, maxSize: 1 << 20, maxFiles: 3 },
        stdin: "open",
        outside: compressed,
      });
      await until(
        () => endings(path).join(" ") === " .1.gz .2.gz",
        () => `not compressed: ${endings(path)}`,
      );
      assert.deepEqual(numbers(`${path}.1.gz`), [2]);
      await container.keeper.signal(9);
      await container.keeper.closed;
      const again = await keepers.run([probe, "lines", "20000"], {
        log: { path, maxSize: 500_000, maxFiles: 3 },
        outside: compressed,
      });
      assert.equal(codeOf(await again.keeper.exited), 0);
      await again.keeper.closed;
      assert.equal(endings(path).filter((ending) => /^\.\d/.test(ending)).length, 2);
    });
  });

  test("that cannot be compressed stays as it is, and the container lives", async () => {
    const path = keepers.path("log");
    // A directory stands where the compressed file would be made: it cannot be opened.
    mkdirSync(`${path}.gz.new`);
    const container = await keepers.run([probe, "lines", "20000"], {
      log: { path, maxSize: 500_000, maxFiles: 9 },
      outside: [{ step: "compressLog" }],
    });
    assert.equal(codeOf(await container.keeper.exited), 0);
    await container.keeper.closed;
    rmdirSync(`${path}.gz.new`);
    assert.deepEqual(numbered(path).flatMap(numbersIn), range(1, 20_000));
  });

  test("on a full disk stops nobody, has whole records only, and goes on when there is room", async () => {
    const { pid, startTime } = keepers.holder;
    const disk = keepers.path("disk");
    const container = await keepers.create(["/bin/sh", "-c", `${probe} lines 5000; exec ${probe} trap 2`], {
      outside: [
        { step: "makeDirectory", path: disk, mode: 0o755 },
        { step: "openProcess", slot: "holder", pid, startTime },
        { step: "joinProcess", slot: "holder", kinds: namespaces.mount.flag },
        { step: "mount", at: "", source: "none", target: disk, type: "tmpfs", flags: 0, data: "size=128k" },
        { step: "createFile", path: `${disk}/filler`, mode: 0o600, content: new Uint8Array(65_000) },
        { step: "logTo", path: `${disk}/log`, maxSize: 0, maxFiles: 1 },
      ],
      after: [{ step: "unmount", path: disk, flags: 2 }],
    });
    const client = await keepers.attach(container);
    await container.keeper.start();
    await client.said("line 5000\n");
    await client.said("ready\n");
    const seen = `/proc/${parentOf(container.process.pid)}/root${disk}`;
    const before = recordsOf(join(seen, "log"));
    // Behind the first loss, a shorter record may still find room.
    assert.deepEqual(
      before.slice(0, 100),
      dockerRecords(
        Buffer.from(
          range(1, 100)
            .map((n) => `line ${n}\n`)
            .join(""),
        ),
      ),
    );
    assert.ok(before.length < 5000);
    rmSync(join(seen, "filler"));
    await container.keeper.signal(10);
    await until(
      () =>
        readFileSync(join(seen, "log"), "utf8").endsWith('"}\n') && recordsOf(join(seen, "log")).length > before.length,
      () => "nothing was logged any more",
    );
    assert.match(linesOf(join(seen, "log")).at(-1)!, /"log":"signal 10\\n"/);
    await container.keeper.signal(15);
    await container.keeper.closed;
    assert.equal(existsSync(join(disk, "log")), false);
  });
});
