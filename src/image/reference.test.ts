import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { PierError } from "../base/errors.ts";
import { canonicalName, familiarName, parseName, withDefaultTag } from "./reference.ts";

const hex = "f".repeat(64);
const sentenceOf = (text: string): string => {
  try {
    parseName(text);
  } catch (error) {
    assert.ok(error instanceof PierError);
    assert.equal(error.status, 400);
    return error.message;
  }
  return assert.fail(`${text} was taken for a name`);
};

describe("names of images", () => {
  const names: readonly (readonly [text: string, canonical: string, familiar: string])[] = [
    ["busybox", "docker.io/library/busybox:latest", "busybox:latest"],
    ["busybox:1.35", "docker.io/library/busybox:1.35", "busybox:1.35"],
    ["library/busybox", "docker.io/library/busybox:latest", "busybox:latest"],
    ["docker.io/busybox", "docker.io/library/busybox:latest", "busybox:latest"],
    ["index.docker.io/library/busybox", "docker.io/library/busybox:latest", "busybox:latest"],
    ["fixture/busybox:1", "docker.io/fixture/busybox:1", "fixture/busybox:1"],
    ["docker.io/library/a/b", "docker.io/library/a/b:latest", "library/a/b:latest"],
    ["localhost/a", "localhost/a:latest", "localhost/a:latest"],
    ["localhost:5000/a:t", "localhost:5000/a:t", "localhost:5000/a:t"],
    ["test_com", "docker.io/library/test_com:latest", "test_com:latest"],
    ["test.com:5000", "docker.io/library/test.com:5000", "test.com:5000"],
    ["Upper/lower", "Upper/lower:latest", "Upper/lower:latest"],
    ["foo/foo_bar.com:8080", "docker.io/foo/foo_bar.com:8080", "foo/foo_bar.com:8080"],
    ["lowercase:Uppercase", "docker.io/library/lowercase:Uppercase", "lowercase:Uppercase"],
    ["a__b-c---d/e.f", "docker.io/a__b-c---d/e.f:latest", "a__b-c---d/e.f:latest"],
    ["[2001:db8::1]:5000/repo:tag", "[2001:db8::1]:5000/repo:tag", "[2001:db8::1]:5000/repo:tag"],
    ["192.168.1.1:5000/repo", "192.168.1.1:5000/repo:latest", "192.168.1.1:5000/repo:latest"],
    ["xn--n3h.com/image:xn--n3h.com", "xn--n3h.com/image:xn--n3h.com", "xn--n3h.com/image:xn--n3h.com"],
    [`a@sha256:${hex}`, `docker.io/library/a@sha256:${hex}`, `a@sha256:${hex}`],
    [`a:t@sha512:${hex}${hex}`, `docker.io/library/a:t@sha512:${hex}${hex}`, `a:t@sha512:${hex}${hex}`],
    ["sha256:abc", "docker.io/library/sha256:abc", "sha256:abc"],
  ];
  for (const [text, canonical, familiar] of names) {
    test(`${text} is ${canonical}`, () => {
      const name = withDefaultTag(parseName(text));
      assert.equal(canonicalName(name), canonical.replace(/(@.*):latest$/, "$1"));
      assert.equal(familiarName(name), familiar);
      assert.deepEqual(withDefaultTag(parseName(canonical)), name);
    });
  }

  const refused: readonly (readonly [text: string, sentence: string])[] = [
    ["", "invalid reference format"],
    [":justtag", "invalid reference format"],
    [`@sha256:${hex}`, "invalid reference format"],
    ["aa/asdf$$^/aa", "invalid reference format"],
    ["../../evil:1", "invalid reference format"],
    ["fixture/../evil:1", "invalid reference format"],
    ["fixture/evil:../1", "invalid reference format"],
    ["a:", "invalid reference format"],
    ["a//b", "invalid reference format"],
    ["-a", "invalid reference format"],
    ["a\n", "invalid reference format"],
    ["a ", "invalid reference format"],
    ["[2001:db8::1]:tag", "invalid reference format"],
    ["[fe80::1%eth0]:5000/repo", "invalid reference format"],
    [`a:${"t".repeat(129)}`, "invalid reference format"],
    ["x".repeat(100_000), "invalid reference format"],
    ["Uppercase:tag", "invalid reference format: repository name (library/Uppercase) must be lowercase"],
    ["Fixture/Upper:1", "invalid reference format: repository name (Upper) must be lowercase"],
    ["test:5000/Upper/l:t", "invalid reference format: repository name (Upper/l) must be lowercase"],
    [`${"a/".repeat(128)}a:tag`, "repository name must not be more than 255 characters"],
    [hex, `invalid repository name (${hex}), cannot specify 64-byte hexadecimal strings`],
    [`repo@sha256:${"f".repeat(34)}`, "invalid checksum digest length"],
    [`repo@sha256:${"F".repeat(64)}`, "invalid checksum digest format"],
    [`repo@crc:${hex}`, `unsupported digest algorithm: crc:${hex}`],
  ];
  for (const [text, sentence] of refused) {
    test(`${JSON.stringify(text.slice(0, 40))} is refused: ${sentence}`, () => {
      assert.equal(sentenceOf(text), sentence);
    });
  }
});
