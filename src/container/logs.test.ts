import assert from "node:assert/strict";
import {
  appendFile,
  link,
  mkdtemp,
  open,
  readdir,
  rename,
  rm,
  stat,
  unlink,
  utimes,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, test } from "node:test";
import { gzipSync } from "node:zlib";
import { type LogOptions, readLogs } from "./logs.ts";
import { fixedTime, parseLogTime } from "./logs-time.ts";

let directory: string;
let path: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "pier-logs-"));
  path = join(directory, "log");
});
afterEach(() => rm(directory, { recursive: true, force: true }));

const all: LogOptions = {
  stdout: true,
  stderr: true,
  timestamps: false,
  raw: true,
  follow: false,
};

const time = (second: number) => `2026-01-01T00:00:${String(second).padStart(2, "0")}.5Z`;
const record = (text: string, second = 0, stream = "stdout") =>
  `${JSON.stringify({ log: text, stream, time: time(second) })}\n`;
const records = (...texts: string[]) => texts.map((text, index) => record(text, index)).join("");

const read = async (options: Partial<LogOptions> = {}, signal?: AbortSignal): Promise<string> => {
  const chunks: Uint8Array[] = [];
  for await (const chunk of await readLogs(path, { ...all, ...options }, signal)) chunks.push(chunk);
  return Buffer.concat(chunks).toString("utf8");
};

describe("reading what is there", () => {
  test("the text of every record, in order", async () => {
    await writeFile(path, records("one\n", "two\n", "\n", "no newline"));
    assert.equal(await read(), "one\ntwo\n\nno newline");
  });

  test("escapes are undone", async () => {
    const text = 'tab\t quote" back\\slash \u001b[31mred\u001b[0m <&> ünï 漢字 🎉 \u2028 \r\n';
    const escaped = record(text).replaceAll("<", "\\u003c").replaceAll("&", "\\u0026");
    await writeFile(path, escaped + record("\\n\n") + record("ends with backslash\\\n") + record("\\"));
    assert.equal(await read(), `${text}\\n\nends with backslash\\\n\\`);
  });

  test("text that looks like a record's end is text", async () => {
    const text = '","stream":"stderr","time":"2026-01-01T00:00:00Z"}\n';
    await writeFile(path, record(text));
    assert.equal(await read({ stderr: false }), text);
  });

  test("one stream alone", async () => {
    await writeFile(
      path,
      record("out\n") + record("err\n", 1, "stderr") + record("o\tut\n") + record("e\trr\n", 1, "stderr"),
    );
    assert.equal(await read({ stderr: false }), "out\no\tut\n");
    assert.equal(await read({ stdout: false }), "err\ne\trr\n");
  });

  test("frames name the stream and the length", async () => {
    await writeFile(path, record("out\n") + record("é\n", 1, "stderr"));
    const frame = (stream: number, text: string) =>
      Buffer.concat([Buffer.from([stream, 0, 0, 0, 0, 0, 0, Buffer.byteLength(text)]), Buffer.from(text)]).toString();
    assert.equal(await read({ raw: false }), frame(1, "out\n") + frame(2, "é\n"));
  });

  test("records of one stream that follow each other share a frame, unless somebody follows", async () => {
    await writeFile(path, record("a\n") + record("b\tc\n") + record("e\n", 1, "stderr") + record("d\n"));
    const frame = (stream: number, text: string) =>
      `${String.fromCharCode(stream)}\0\0\0\0\0\0${String.fromCharCode(text.length)}${text}`;
    assert.equal(await read({ raw: false }), frame(1, "a\nb\tc\n") + frame(2, "e\n") + frame(1, "d\n"));
    const followed = { raw: false, follow: true, ended: Promise.resolve() };
    assert.equal(await read(followed), frame(1, "a\n") + frame(1, "b\tc\n") + frame(2, "e\n") + frame(1, "d\n"));
  });

  test("frames that are shared stay short enough for clients to read at once, and lose nothing", async () => {
    const texts = Array.from({ length: 3000 }, (_, index) => `${"x".repeat(index % 97)}${index}\n`);
    const long = `${"y".repeat(40_000)}\n`;
    await writeFile(path, [...texts, long, ...texts].map((text) => record(text)).join(""));
    const chunks: Uint8Array[] = [];
    for await (const chunk of await readLogs(path, { ...all, raw: false })) chunks.push(chunk);
    const bytes = Buffer.concat(chunks);
    const lengths: number[] = [];
    let text = "";
    for (let at = 0; at < bytes.length; at += 8 + lengths.at(-1)!) {
      lengths.push(bytes.readUInt32BE(at + 4));
      text += bytes.toString("latin1", at + 8, at + 8 + lengths.at(-1)!);
    }
    assert.equal(text, [...texts, long, ...texts].join(""));
    assert.deepEqual(
      lengths.filter((length) => length + 8 > 32 * 1024),
      [long.length],
    );
    assert.ok(lengths.length < 30, `${lengths.length} frames`);
  });

  test("timestamps have nine digits, whatever the record has", async () => {
    const line = (when: string, text: string) => `{"log":"${text}\\n","stream":"stdout","time":"${when}"}\n`;
    await writeFile(
      path,
      line("2026-01-01T00:00:00Z", "a") +
        line("2026-01-01T00:00:00.12Z", "b") +
        line("2026-01-01T00:00:00.123456789Z", "c") +
        line("2026-01-01T02:00:00.5+02:00", "d\\te"),
    );
    assert.equal(
      await read({ timestamps: true }),
      "2026-01-01T00:00:00.000000000Z a\n2026-01-01T00:00:00.120000000Z b\n" +
        "2026-01-01T00:00:00.123456789Z c\n2026-01-01T00:00:00.500000000Z d\te\n",
    );
  });

  test("details are the attributes, or an empty word", async () => {
    const line = JSON.stringify({ log: "x\n", stream: "stdout", attrs: { tag: "a b", env: "1" }, time: time(0) });
    await writeFile(path, `${line}\n${record("y\n")}`);
    assert.equal(await read({ details: true }), "env=1,tag=a+b x\n y\n");
    assert.equal(await read(), "x\ny\n");
  });

  test("since and until are kept, to the nanosecond", async () => {
    await writeFile(path, records("0\n", "1\n", "2\n", "3\n"));
    const at = (second: number) => parseLogTime(time(second))!;
    assert.equal(await read({ since: at(1) }), "1\n2\n3\n");
    assert.equal(await read({ since: at(1) + 1n }), "2\n3\n");
    assert.equal(await read({ until: at(1) }), "0\n1\n");
    assert.equal(await read({ since: at(1), until: at(2) - 1n }), "1\n");
  });

  test("what is no record is passed over, and a last one that is cut short waits", async () => {
    await writeFile(path, `rubbish\n{"log":"to\n\n[1]\n${record("kept\n")}{"log":"half`);
    assert.equal(await read(), "kept\n");
  });

  test("a line without end does not fill the memory", async () => {
    await writeFile(path, `${"x".repeat(3 * 1024 * 1024)}\n${record("after\n")}`);
    assert.equal(await read(), "after\n");
  });

  test("no log is an empty log", async () => assert.equal(await read(), ""));

  test("pieces of a long line come together again", async () => {
    const long = "é".repeat(8192);
    await writeFile(path, record(long) + record(long) + record("end\n"));
    assert.equal(await read(), `${long}${long}end\n`);
  });

  test("many records come in chunks of at least 64 KiB", async () => {
    await writeFile(path, record("some text that is short\n").repeat(50_000));
    const sizes: number[] = [];
    for await (const chunk of await readLogs(path, all)) sizes.push(chunk.length);
    assert.equal(
      sizes.reduce((sum, size) => sum + size),
      50_000 * 24,
    );
    assert.ok(sizes.slice(0, -1).every((size) => size >= 64 * 1024));
  });
});

describe("the end of a log", () => {
  const cases: readonly [number, string][] = [
    [0, ""],
    [1, "6\n"],
    [2, "5\n6\n"],
    [3, "4\n5\n6\n"],
    [5, "2\n3\n4\n5\n6\n"],
    [7, "0\n1\n2\n3\n4\n5\n6\n"],
    [100, "0\n1\n2\n3\n4\n5\n6\n"],
  ];
  for (const [tail, expected] of cases) {
    test(`the last ${tail} records, across rotated files`, async () => {
      await writeFile(`${path}.2`, records("0\n", "1\n"));
      await writeFile(`${path}.1`, records("2\n", "3\n"));
      await writeFile(path, records("4\n", "5\n", "6\n"));
      assert.equal(await read({ tail }), expected);
    });
  }

  test("a long log is read from its end", async () => {
    const lines = Array.from({ length: 30_000 }, (_, index) => `line ${index}\n`);
    await writeFile(path, records(...lines));
    for (const tail of [1, 100, 4000, 29_999, 30_000]) {
      assert.equal(await read({ tail }), lines.slice(-tail).join(""));
    }
  });
});

describe("following", () => {
  /** Reads on until the text is there. */
  const follower = async (options: Partial<LogOptions> = {}, signal?: AbortSignal) => {
    const ended = Promise.withResolvers<void>();
    const iterator = await readLogs(path, { ...all, follow: true, ended: ended.promise, ...options }, signal);
    let text = "";
    return {
      ended,
      iterator,
      async until(expected: string): Promise<void> {
        while (text.length < expected.length) {
          const { value, done } = await iterator.next();
          if (done) break;
          text += Buffer.from(value).toString();
        }
        assert.equal(text, expected);
      },
      async rest(): Promise<string> {
        for await (const chunk of iterator) text += Buffer.from(chunk).toString();
        return text;
      },
    };
  };

  test("who asked before the container was removed is told all of it", async () => {
    await writeFile(path, records("1\n", "2\n"));
    const logs = [await follower(), await follower({ follow: false })];
    await rm(directory, { recursive: true });
    for (const log of logs) {
      log.ended.resolve();
      assert.equal(await log.rest(), "1\n2\n");
    }
  });

  test("what nobody tells the follower of comes too", async () => {
    await writeFile(path, records("1\n"));
    // Through its other name the file changes without a word to who watches the directory.
    const elsewhere = await mkdtemp(join(tmpdir(), "pier-logs-"));
    await link(path, join(elsewhere, "other"));
    const log = await follower();
    await log.until("1\n");
    const next = log.until("1\n2\n");
    await appendFile(join(elsewhere, "other"), records("2\n"));
    await next;
    log.ended.resolve();
    await log.rest();
    await rm(elsewhere, { recursive: true });
  });

  test("what is written later comes too, and the end of the container is the end", async () => {
    await writeFile(path, records("1\n"));
    const log = await follower();
    await log.until("1\n");
    await appendFile(path, records("2\n"));
    await log.until("1\n2\n");
    await appendFile(path, records("3\n"));
    log.ended.resolve();
    assert.equal(await log.rest(), "1\n2\n3\n");
  });

  test("a container that has ended already is read and left", async () => {
    await writeFile(path, records("1\n"));
    const log = await follower();
    log.ended.resolve();
    assert.equal(await log.rest(), "1\n");
  });

  test("only the new, when no tail is wanted", async () => {
    await writeFile(path, records("old\n"));
    const log = await follower({ tail: 0 });
    const text = log.rest();
    // Where the log ended when the follower looked is not ours to know: what is written from then on is new.
    for (let written = 0; written < 50; written++) await appendFile(path, records("new\n"));
    log.ended.resolve();
    assert.match(await text, /^(new\n)*$/);
  });

  test("a log that does not exist yet is waited for", async () => {
    const log = await follower();
    const first = log.until("1\n");
    await writeFile(path, records("1\n"));
    await first;
    log.ended.resolve();
    assert.equal(await log.rest(), "1\n");
  });

  test("a record that is half written waits for its rest", async () => {
    const [whole] = [record("whole\n")];
    await writeFile(path, records("1\n") + whole.slice(0, 20));
    const log = await follower();
    await log.until("1\n");
    await appendFile(path, whole.slice(20));
    await log.until("1\nwhole\n");
    log.ended.resolve();
    assert.equal(await log.rest(), "1\nwhole\n");
  });

  test("rotations lose nothing and repeat nothing", async () => {
    // More than there are rotations: a reader that falls behind by more files than are kept loses some, rightly.
    const keep = 60;
    const rotate = async () => {
      for (let number = keep; number > 0; number--) {
        await rename(number === 1 ? path : `${path}.${number - 1}`, `${path}.${number}`).catch(() => undefined);
      }
    };
    await writeFile(path, "");
    const log = await follower();
    const reading = log.rest();
    let expected = "";
    for (let turn = 0; turn < 300; turn++) {
      // As the keeper: the open file is written, renamed, closed, and a new one made.
      await using file = await open(path, "a");
      for (let line = 0; line < 5; line++) {
        const text = `${turn}.${line}\n`;
        expected += text;
        await file.write(record(text));
      }
      if (turn % 6 === 0) await rotate();
    }
    log.ended.resolve();
    assert.equal(await reading, expected);
  });

  /** As the keeper's child writes it. */
  const pack = async (name: string, inode: bigint, written: Date, text: string) => {
    const note = Buffer.alloc(32);
    note.write("1f8b0804000000000003140050491000", "hex");
    note.writeBigUInt64LE(inode, 16);
    note.writeBigUInt64LE(BigInt(Buffer.byteLength(text)), 24);
    await writeFile(name, Buffer.concat([note, gzipSync(text).subarray(10)]));
    await utimes(name, written, written);
  };

  test("files that are compressed are read like others, from wherever their lines are wanted", async () => {
    const written = new Date(1000);
    const lines = Array.from({ length: 6000 }, (_, index) => `${index}\n`);
    const text = (from: number, to: number) =>
      lines
        .slice(from, to)
        .map((line) => record(line))
        .join("");
    await pack(`${path}.2.gz`, 1n, written, text(0, 2000));
    await pack(`${path}.1.gz`, 2n, written, text(2000, 4000));
    await writeFile(path, text(4000, 6000));
    for (const tail of [undefined, 1, 2000, 2001, 4500, 6001]) {
      assert.equal(await read({ tail }), lines.slice(-(tail ?? 6000)).join(""));
    }
    assert.deepEqual((await readdir(directory)).sort(), ["log", "log.1.gz", "log.2.gz"]);
  });

  test("a file that is compressed while it is read is not read again, and another one with its number is", async () => {
    await writeFile(path, records("2\n"));
    const { ino } = await stat(path, { bigint: true });
    // The number was an earlier file's, and its child has written it down.
    await pack(`${path}.1.gz`, ino, new Date(1000), records("1\n"));
    const log = await follower();
    await log.until("1\n2\n");
    const { mtime } = await stat(path);
    await utimes(path, mtime, mtime);
    await rename(`${path}.1.gz`, `${path}.2.gz`);
    await pack(`${path}.1.gz`, ino, mtime, records("2\n"));
    await unlink(path);
    await writeFile(path, records("3\n"));
    await log.until("1\n2\n3\n");
    log.ended.resolve();
    assert.equal(await log.rest(), "1\n2\n3\n");
  });

  test("a rotation that is between two renames hides nothing", async () => {
    for (const [name, text] of [
      ["", "4\n"],
      [".1", "3\n"],
      [".3", "2\n"],
      [".4", "1\n"],
    ] as const)
      await writeFile(`${path}${name}`, records(text));
    const log = await follower();
    log.ended.resolve();
    assert.equal(await log.rest(), "1\n2\n3\n4\n");
  });

  test("a log of a single file that is made anew is followed", async () => {
    await writeFile(path, records("1\n"));
    const log = await follower();
    await log.until("1\n");
    await unlink(path);
    await writeFile(path, records("2\n"));
    await log.until("1\n2\n");
    log.ended.resolve();
    assert.equal(await log.rest(), "1\n2\n");
  });

  test("a client that has gone ends the reading", async () => {
    await writeFile(path, records("1\n"));
    const gone = new AbortController();
    const log = await follower({}, gone.signal);
    await log.until("1\n");
    const rest = log.rest();
    gone.abort();
    assert.equal(await rest, "1\n");
  });

  test("until a time in the future, and then it ends by itself", async () => {
    await writeFile(path, records("1\n"));
    const log = await follower({ until: BigInt(Date.now() + 30) * 1_000_000n });
    assert.equal(await log.rest(), "1\n");
  });

  test("leaving early closes the files", async () => {
    await writeFile(path, records("1\n", "2\n"));
    const log = await follower();
    await log.until("1\n2\n");
    await log.iterator.return(undefined);
    assert.deepEqual(await log.iterator.next(), { value: undefined, done: true });
  });
});

test("times are read as clients send them", () => {
  assert.equal(parseLogTime("1700000000"), 1_700_000_000_000_000_000n);
  assert.equal(parseLogTime("1700000000.5"), 1_700_000_000_500_000_000n);
  assert.equal(parseLogTime("1700000000.123456789"), 1_700_000_000_123_456_789n);
  assert.equal(parseLogTime("2023-11-14T22:13:20.000000001Z"), 1_700_000_000_000_000_001n);
  assert.equal(parseLogTime("2023-11-15T00:13:20+02:00"), 1_700_000_000_000_000_000n);
  for (const text of ["", "soon", "1e9", "2023-13-01T00:00:00Z", "1 2"]) assert.equal(parseLogTime(text), undefined);
  assert.equal(fixedTime(1_700_000_000_000_000_001n), "2023-11-14T22:13:20.000000001Z");
  assert.equal(fixedTime(-1n), "1969-12-31T23:59:59.999999999Z");
});
