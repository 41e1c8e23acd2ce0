import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { parseSource, splitFlags } from "./source.ts";

const parsed = (text: string) =>
  parseSource(text).instructions.map(({ name, flags, rest, start, end }) => ({ name, flags, rest, start, end }));

describe("the text of a Dockerfile", () => {
  test("is instructions with the lines on which they stand", () => {
    assert.deepEqual(parsed("# a comment\n\nfrom scratch\n  RUN  a  b \n"), [
      { name: "FROM", flags: [], rest: "scratch", start: 3, end: 3 },
      { name: "RUN", flags: [], rest: "a  b", start: 4, end: 4 },
    ]);
  });

  test("goes on behind an escape, over comments and empty lines", () => {
    const text = "RUN a \\\n# not this\n\n  b \\  \n  && c\nRUN d";
    assert.deepEqual(parsed(text), [
      { name: "RUN", flags: [], rest: "a   b   && c", start: 1, end: 5 },
      { name: "RUN", flags: [], rest: "d", start: 6, end: 6 },
    ]);
  });

  test("does not go on behind two escapes", () => {
    assert.deepEqual(
      parsed("RUN a\\\\\nRUN b").map(({ rest }) => rest),
      ["a\\\\", "b"],
    );
  });

  test("may begin with a byte order mark, and have lines that end in CR LF", () => {
    assert.deepEqual(
      parsed("\uFEFFFROM a\r\nRUN b \\\r\n c\r\n").map(({ rest }) => rest),
      ["a", "b  c"],
    );
  });

  test("has directives before anything else, and only there", () => {
    const { directives, instructions } = parseSource("# syntax=docker/dockerfile:1\n# escape = `\nRUN a `\n b\n");
    assert.deepEqual(directives, { syntax: "docker/dockerfile:1", backslash: "`" });
    assert.equal(instructions[0]!.rest, "a  b");
    assert.equal(parseSource("#comment\n# escape=`\nFROM a").directives.backslash, "\\");
    assert.equal(parseSource("\n# escape=`\nFROM a").directives.backslash, "\\");
    assert.throws(() => parseSource("# escape=`\n# escape=`\nFROM a"), /line 2: only one escape parser directive/);
    assert.throws(() => parseSource("# escape=x\nFROM a"), /line 1: invalid ESCAPE/);
  });

  test("has flags, then the rest", () => {
    assert.deepEqual(parsed("COPY --from=a --chown=1:2  x y --z")[0], {
      name: "COPY",
      flags: ["--from=a", "--chown=1:2"],
      rest: "x y --z",
      start: 1,
      end: 1,
    });
    assert.deepEqual(splitFlags('--a="b c" --d\\ e f', "\\"), { flags: ["--a=b c", "--d e"], rest: "f" });
    assert.deepEqual(splitFlags("-- --a", "\\"), { flags: [], rest: "--a" });
  });

  test("has heredocs, which end where they say", () => {
    const [run, copy, last] = parseSource(
      "RUN <<EOF cat <<-'END'\n# one\n\tEOF\nEOF\n\ttwo\n\tEND\nCOPY <<x /y/\nx\nRUN z",
    ).instructions;
    assert.deepEqual(run!.heredocs, [
      { name: "EOF", content: "# one\n\tEOF\n", expands: true, chomps: false },
      { name: "END", content: "\ttwo\n", expands: false, chomps: true },
    ]);
    assert.deepEqual([run!.start, run!.end], [1, 6]);
    assert.deepEqual(
      copy!.heredocs.map(({ name, content }) => [name, content]),
      [["x", ""]],
    );
    assert.equal(last!.rest, "z");
  });

  test("is refused when a heredoc does not end", () => {
    assert.throws(() => parseSource("FROM a\nRUN <<EOF\nx\n"), /line 2: unterminated heredoc/);
  });
});
