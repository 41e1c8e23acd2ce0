import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { hidePassword, parseGitAddress } from "./address.ts";

describe("a git address", () => {
  test("is a repository, a ref and a directory in it", () => {
    const cases: readonly (readonly [string, string, string, string])[] = [
      ["https://host/app.git", "https://host/app.git", "", ""],
      ["https://host/app.git#main", "https://host/app.git", "main", ""],
      ["https://host/app.git#v1:docker/a", "https://host/app.git", "v1", "docker/a"],
      ["https://host/app.git#:docker", "https://host/app.git", "", "docker"],
      ["https://host/app.git?branch=next&subdir=x", "https://host/app.git", "next", "x"],
      ["git://host/app", "git://host/app", "", ""],
      ["git@host:some/app#main", "git@host:some/app", "main", ""],
      ["github.com/some/app", "https://github.com/some/app", "", ""],
    ];
    for (const [text, remote, ref, directory] of cases) {
      const found = parseGitAddress(text);
      assert.deepEqual([found?.remote, found?.ref, found?.directory], [remote, ref, directory], text);
    }
  });

  test("is none of a file on a web server, a path or a name", () => {
    for (const text of [
      "https://host/app.tar.gz",
      "http://host/",
      "a.git",
      "./git",
      "app:1",
      "ftp://host/app.git",
      "",
    ]) {
      assert.equal(parseGitAddress(text), undefined, text);
    }
  });

  test("leads no option into git, and no directory out of the repository", () => {
    assert.equal(parseGitAddress("https://host/app.git#:../../etc")?.directory, "etc");
    for (const ref of [
      "--upload-pack=touch",
      "-u",
      "a..b",
      "a b",
      "a:b@{1}".slice(2),
      "x^{y",
      "a~1",
      "refs/*",
      "a.lock",
    ]) {
      assert.throws(() => parseGitAddress(`https://host/app.git#${ref}`), /is no ref/, ref);
    }
    assert.throws(() => parseGitAddress("https://host/app.git?exec=x"), /unexpected query "exec"/);
    assert.throws(() => parseGitAddress("https://host/app.git?ref=a#b"), /more than one ref/);
  });

  test("is told without its password", () => {
    assert.equal(hidePassword("of https://me:secret@host/app.git: no"), "of https://host/app.git: no");
  });
});
