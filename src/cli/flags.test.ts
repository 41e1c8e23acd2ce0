import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { flag, parseFlags } from "./flags.ts";
import { boolean, integer, list, text, texts } from "./values/kinds.ts";

const table = {
  detach: flag(boolean(), "", { short: "d" }),
  env: flag(texts, "", { short: "e" }),
  help: flag(boolean(), ""),
  interactive: flag(boolean(), "", { short: "i" }),
  last: flag(integer(-1), "", { short: "n" }),
  name: flag(text(), ""),
  network: flag(
    list((given) => given.toUpperCase()),
    "",
    { aliases: ["net"] },
  ),
  proxy: flag(boolean(true), ""),
  tty: flag(boolean(), "", { short: "t" }),
} as const;

const parse = (...words: string[]) => parseFlags(table, words, { stopAtFirst: true });
const refusal = (...words: string[]): string => {
  try {
    parse(...words);
  } catch (error) {
    return (error as Error).message;
  }
  return "";
};

describe("flags", () => {
  test("take their values behind a space, behind =, and joined to a letter", () => {
    for (const words of [["--env", "A=b"], ["--env=A=b"], ["-e", "A=b"], ["-eA=b"], ["-e=A=b"], ["-ieA=b"]]) {
      assert.deepEqual(parse(...words).values.env, ["A=b"], words.join(" "));
    }
  });

  test("without a value are true, and false when told so", () => {
    assert.equal(parse("--detach").values.detach, true);
    assert.equal(parse("--detach=false").values.detach, false);
    assert.equal(parse("--proxy=0").values.proxy, false);
    assert.deepEqual([parse("-it=false").values.interactive, parse("-it=false").values.tty], [true, false]);
    assert.deepEqual(parse("--detach", "false").positional, ["false"]);
  });

  test("end at the first word that is none, where the rest is somebody else's", () => {
    assert.deepEqual(parse("-i", "image", "ls", "-l", "--help").positional, ["image", "ls", "-l", "--help"]);
    assert.deepEqual(parse("--", "-i").positional, ["-i"]);
    assert.deepEqual(parse("image", "--", "x").positional, ["image", "--", "x"]);
    assert.deepEqual(parse("-", "-i").positional, ["-", "-i"]);
  });

  test("may stand behind words elsewhere", () => {
    const { values, positional } = parseFlags(table, ["a", "-i", "b", "--", "-t"]);
    assert.deepEqual([values.interactive, values.tty, positional], [true, false, ["a", "b", "-t"]]);
  });

  test("keep their defaults, and know whether they were given", () => {
    const { values, given } = parse("-n", "-1", "--proxy");
    assert.deepEqual([values.last, values.name, values.env, values.proxy], [-1, "", [], true]);
    assert.deepEqual([...given], ["last", "proxy"]);
  });

  test("answer to further names", () => {
    assert.deepEqual(parse("--net", "a", "--network=b").values.network, ["A", "B"]);
  });

  test("that are unknown or incomplete are told in pflag's words", () => {
    assert.equal(refusal("--nope"), "unknown flag: --nope");
    assert.equal(refusal("--nope=1"), "unknown flag: --nope");
    assert.equal(refusal("--__proto__"), "unknown flag: --__proto__");
    assert.equal(refusal("--constructor=x"), "unknown flag: --constructor");
    assert.equal(refusal("-iZt"), "unknown shorthand flag: 'Z' in -Zt");
    assert.equal(refusal("--name"), "flag needs an argument: --name");
    assert.equal(refusal("-ie"), "flag needs an argument: 'e' in -e");
    assert.equal(refusal("---x"), "bad flag syntax: ---x");
    assert.equal(refusal("--=x"), "bad flag syntax: --=x");
    assert.equal(
      refusal("--detach=maybe"),
      'invalid argument "maybe" for "-d, --detach" flag: strconv.ParseBool: parsing "maybe": invalid syntax',
    );
    assert.equal(
      refusal("-n", "x\t"),
      'invalid argument "x\\t" for "-n, --last" flag: strconv.ParseInt: parsing "x\\t": invalid syntax',
    );
  });

  test("ask for help with a lone -h, unless the letter has another meaning", () => {
    assert.equal(parse("-h").values.help, true);
    const own = { ...table, hostname: flag(text(), "", { short: "h" }) };
    assert.equal(parseFlags(own, ["-h", "web"]).values.hostname, "web");
  });
});
