import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { parseIgnore, parseIgnoreFile } from "./ignore.ts";

const yes = true;
const no = false;
/** Facts about moby's rules: whether a path is left out by one pattern. */
const cases: readonly (readonly [pattern: string, path: string, ignored: boolean])[] = [
  ["**", "file", yes],
  ["**", "file/", yes],
  ["**/", "file", yes],
  ["**/", "file/", yes],
  ["**", "/", yes],
  ["**/", "/", yes],
  ["**", "dir/file", yes],
  ["**/", "dir/file", yes],
  ["**", "dir/file/", yes],
  ["**/", "dir/file/", yes],
  ["**/**", "dir/file", yes],
  ["**/**", "dir/file/", yes],
  ["dir/**", "dir/file", yes],
  ["dir/**", "dir/file/", yes],
  ["dir/**", "dir/dir2/file", yes],
  ["dir/**", "dir/dir2/file/", yes],
  ["**/dir", "dir", yes],
  ["**/dir", "dir/file", yes],
  ["**/dir2/*", "dir/dir2/file", yes],
  ["**/dir2/*", "dir/dir2/file/", yes],
  ["**/dir2/**", "dir/dir2/dir3/file", yes],
  ["**/dir2/**", "dir/dir2/dir3/file/", yes],
  ["**file", "file", yes],
  ["**file", "dir/file", yes],
  ["**/file", "dir/file", yes],
  ["**file", "dir/dir/file", yes],
  ["**/file", "dir/dir/file", yes],
  ["**/file*", "dir/dir/file", yes],
  ["**/file*", "dir/dir/file.txt", yes],
  ["**/file*txt", "dir/dir/file.txt", yes],
  ["**/file*.txt", "dir/dir/file.txt", yes],
  ["**/file*.txt*", "dir/dir/file.txt", yes],
  ["**/**/*.txt", "dir/dir/file.txt", yes],
  ["**/**/*.txt2", "dir/dir/file.txt", no],
  ["**/*.txt", "file.txt", yes],
  ["**/**/*.txt", "file.txt", yes],
  ["a**/*.txt", "a/file.txt", yes],
  ["a**/*.txt", "a/dir/file.txt", yes],
  ["a**/*.txt", "a/dir/dir/file.txt", yes],
  ["a/*.txt", "a/dir/file.txt", no],
  ["a/*.txt", "a/file.txt", yes],
  ["a/*.txt**", "a/file.txt", yes],
  ["a[b-d]e", "ae", no],
  ["a[b-d]e", "ace", yes],
  ["a[b-d]e", "aae", no],
  ["a[^b-d]e", "aze", yes],
  [".*", ".foo", yes],
  [".*", "foo", no],
  ["abc.def", "abcdef", no],
  ["abc.def", "abc.def", yes],
  ["abc.def", "abcZdef", no],
  ["abc?def", "abcZdef", yes],
  ["abc?def", "abcdef", no],
  ["**/foo/bar", "foo/bar", yes],
  ["**/foo/bar", "dir/foo/bar", yes],
  ["**/foo/bar", "dir/dir2/foo/bar", yes],
  ["abc/**", "abc", no],
  ["abc/**", "abc/def", yes],
  ["abc/**", "abc/def/ghi", yes],
  ["**/.foo", ".foo", yes],
  ["**/.foo", "bar.foo", no],
  ["a(b)c/def", "a(b)c/def", yes],
  ["a(b)c/def", "a(b)c/xyz", no],
  ["a.|)$(}+{bc", "a.|)$(}+{bc", yes],
  [
    "dist/proxy.py-2.4.0rc3.dev36+g08acad9-py3-none-any.whl",
    "dist/proxy.py-2.4.0rc3.dev36+g08acad9-py3-none-any.whl",
    yes,
  ],
  ["dist/*.whl", "dist/proxy.py-2.4.0rc3.dev36+g08acad9-py3-none-any.whl", yes],
  ["a\\\\", "a\\", yes],
  ["a\\*b", "a*b", yes],
  ["*.go", ".", no],
  ["docs/", "docs/README.md", yes],
];

const several: readonly (readonly [patterns: readonly string[], path: string, ignored: boolean])[] = [
  [["**", "!util/docker/web"], "util/docker/web/foo", no],
  [["**", "!util/docker/web", "util/docker/web/foo"], "util/docker/web/foo", yes],
  [["**", "!dist/*.whl"], "dist/a+b.whl", no],
  [["!fileutils.go", "*.go"], "fileutils.go", yes],
  [["*.go", "!fileutils.go"], "fileutils.go", no],
  [["docs", "!docs/README.md"], "docs/README.md", no],
  [["docs/*", "!docs/README.md"], "docs/README.md", no],
  [["docs", "  !docs/README.md  "], "docs/README.md", no],
  [[], "any/path", no],
];

describe(".dockerignore", () => {
  for (const [pattern, path, expected] of cases) {
    test(`${pattern} ${expected ? "leaves out" : "keeps"} ${path}`, () => {
      assert.equal(parseIgnore([pattern]).has(path), expected);
    });
  }
  for (const [patterns, path, expected] of several) {
    test(`${patterns.join(" ")} ${expected ? "leaves out" : "keeps"} ${path}`, () => {
      assert.equal(parseIgnore(patterns).has(path), expected);
    });
  }

  test("refuses what is no pattern", () => {
    for (const pattern of ["!", "[", "a[", "\\"])
      assert.throws(() => parseIgnore([pattern]), /illegal exclusion pattern/);
  });

  test("has one pattern a line, without comments, white space and slashes around it", () => {
    const text = "\uFEFF# a comment\n\n  /node_modules/  \r\n!/a/./b\n*.log\n";
    assert.deepEqual(parseIgnoreFile(text), ["node_modules", "!a/b", "*.log"]);
  });
});
