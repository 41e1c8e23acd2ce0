import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { decodeAllCredentials } from "./credentials.ts";

const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString("base64url");

describe("the credentials of a build", () => {
  test("are of registries by their domains, whatever clients call them", () => {
    const found = decodeAllCredentials(
      encode({
        "https://index.docker.io/v1/": { username: "me", password: "a" },
        "registry.example:5000": { identitytoken: "t" },
        "https://other.example": { auth: Buffer.from("you:b:c").toString("base64") },
        "nobody.example": {},
      }),
    );
    assert.deepEqual(
      [...found].map(([domain, { username, password, identityToken }]) => [domain, username, password, identityToken]),
      [
        ["docker.io", "me", "a", ""],
        ["registry.example:5000", "", "", "t"],
        ["other.example", "you", "b:c", ""],
      ],
    );
    for (const text of ["", "null", encode({}), encode(null)]) assert.equal(decodeAllCredentials(text).size, 0);
  });

  test("are refused where they are none, without a word of what they were", () => {
    assert.throws(
      () => decodeAllCredentials(Buffer.from("{secret").toString("base64")),
      (error: Error) => {
        assert.match(error.message, /^invalid X-Registry-Config header: it is no JSON in base64$/);
        return true;
      },
    );
    assert.throws(() => decodeAllCredentials(encode(["x"])));
  });
});
