// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the words are those of Dockerfiles
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { expandWord } from "./expand.ts";

const variables = new Map([
  ["PWD", "/home"],
  ["SHELL", "bash"],
  ["KOREAN", "한국어"],
  ["EMPTY", ""],
  ["FILE", "path/to/file.tar.gz"],
  ["1", "one"],
]);

/** Facts about BuildKit's rules; undefined: it is refused. */
const cases: readonly (readonly [word: string, expanded: string | undefined])[] = [
  ["hello", "hello"],
  ["he'll'o", "hello"],
  ["he'llo", undefined],
  ["he\\'llo", "he'llo"],
  ["he\\\\'llo", undefined],
  ["abc\\tdef", "abctdef"],
  ['"abc\\tdef"', "abc\\tdef"],
  ['"abc\\\\tdef"', "abc\\tdef"],
  ["'abc\\tdef'", "abc\\tdef"],
  ["hello\\", "hello"],
  ["hello\\\\", "hello\\"],
  ['"hello', undefined],
  ['"hello\\"', undefined],
  ['"hel\'lo"', "hel'lo"],
  ["'hello\"", undefined],
  ["'hello there'", "hello there"],
  ["'hello\\there'", "hello\\there"],
  ["''", ""],
  ["$.", "$."],
  ["he$1x", "heonex"],
  ["he$.x", "he$.x"],
  ["he$pwd.", "he."],
  ["he$PWD", "he/home"],
  ["he\\$PWD", "he$PWD"],
  ['"he\\$PWD"', "he$PWD"],
  ["'he\\$PWD'", "he\\$PWD"],
  ["'he$PWD'", "he$PWD"],
  ['"he$PWD"', "he/home"],
  ["he${PWD}", "he/home"],
  ["he${PWD:-000}xx", "he/homexx"],
  ["he${XXX:-000}xx", "he000xx"],
  ["he${XXX:-$PWD:}xx", "he/home:xx"],
  ["he${XXX:-${PWD:-yyy}:}xx", "he/home:xx"],
  ["he${XXX:-${YYY:-yyy}}xx", "heyyyxx"],
  ["he${EMPTY:-x}", "hex"],
  ["he${EMPTY-x}", "he"],
  ["he${XXX-x}", "hex"],
  ["he${PWD:+xx}", "hexx"],
  ["he${EMPTY:+xx}", "he"],
  ["he${EMPTY+xx}", "hexx"],
  ["he${XXX+xx}", "he"],
  ["he${XXX:+${PWD}:}xx", "hexx"],
  ["he${PWD:?message}", "he/home"],
  ["he${XXX:?message}", undefined],
  ["he${XXX?message}", undefined],
  ["he${EMPTY?message}", "he"],
  ["he${EMPTY:?message}", undefined],
  ["he${PWD", undefined],
  ["he${}", undefined],
  ["he${:}", undefined],
  ["he${{}", undefined],
  ["he${PWD:?", undefined],
  ["he${PWD,x}", undefined],
  ["he${PWD:=x}", undefined],
  ["$KOREAN", "한국어"],
  ["안녕하세요", "안녕하세요"],
  ["${SHELL:-'a b'}", "bash"],
  ["${XXX:-'a b'}", "a b"],
  ["${FILE#*/}", "to/file.tar.gz"],
  ["${FILE##*/}", "file.tar.gz"],
  ["${FILE%.*}", "path/to/file.tar"],
  ["${FILE%%.*}", "path/to/file"],
  ["${FILE#x}", "path/to/file.tar.gz"],
  ["${FILE%?z}", "path/to/file.tar."],
  ["${FILE/t/T}", "paTh/to/file.tar.gz"],
  ["${FILE//t/T}", "paTh/To/file.Tar.gz"],
  ["${FILE/*to/x}", "x/file.tar.gz"],
  ["${FILE//[/x}", "path/to/file.tar.gz"],
  ["${FILE/\\//-}", "path-to/file.tar.gz"],
  ["${FILE//\\//-}", "path-to-file.tar.gz"],
  ["${XXX/a/b}", ""],
];

describe("a word of a Dockerfile", () => {
  for (const [word, expected] of cases) {
    test(`${word} is ${expected === undefined ? "refused" : JSON.stringify(expected)}`, () => {
      const expand = (): string => expandWord(word, variables, { backslash: "\\" });
      if (expected === undefined) assert.throws(expand, /failed to process/);
      else assert.equal(expand(), expected);
    });
  }

  test("has another escape where the file says so", () => {
    assert.equal(expandWord("C:\\x`$PWD", variables, { backslash: "`" }), "C:\\x$PWD");
  });

  test("keeps its quotes in a heredoc, and loses only the escape of a variable", () => {
    const text = "'$PWD' \"$SHELL\" \\$PWD \\n\n";
    assert.equal(expandWord(text, variables, { backslash: "\\", raw: true }), "'/home' \"bash\" $PWD \\n\n");
  });

  test("says which variables have no value", () => {
    const unset: string[] = [];
    expandWord("$a ${b:-c} ${d} $PWD", variables, { backslash: "\\", unset: (name) => unset.push(name) });
    assert.deepEqual(unset, ["a", "d"]);
  });

  test("costs no more than its length, whatever it says", () => {
    const long = new Map([["x", "a".repeat(10_000)]]);
    assert.equal(expandWord(`\${x##${"*a".repeat(50)}b}`, long, { backslash: "\\" }).length, 10_000);
    assert.throws(() => expandWord("${a:-".repeat(200), variables, { backslash: "\\" }), /nested too deeply/);
  });
});
