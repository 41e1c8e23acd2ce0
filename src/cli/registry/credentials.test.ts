import assert from "node:assert/strict";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { after, before, describe, test } from "node:test";
import { allCredentials, credentialsFor } from "./credentials.ts";

/** Says what the file beside it has for a server, in the words of docker-credential-helpers. */
const helper = `#!/bin/sh
read -r server
case "$server" in
  password.example) echo '{"ServerURL":"password.example","Username":"me","Secret":"word"}' ;;
  token.example) echo '{"ServerURL":"token.example","Username":"<token>","Secret":"refresh"}' ;;
  broken.example) echo 'the keychain is locked' >&2; exit 1 ;;
  nonsense.example) echo 'hello' ;;
  *) echo 'credentials not found in native keychain'; exit 1 ;;
esac
`;

describe("a helper", () => {
  const place = mkdtempSync(join(tmpdir(), "pier-helper-"));
  const { PATH } = process.env;
  before(() => {
    writeFileSync(join(place, "docker-credential-test"), helper);
    chmodSync(join(place, "docker-credential-test"), 0o755);
    process.env.PATH = `${place}${delimiter}${PATH}`;
  });
  after(() => {
    process.env.PATH = PATH;
    rmSync(place, { recursive: true });
  });

  const auths = { "file.example": { auth: Buffer.from("you:file").toString("base64") } };

  test("of one registry is asked for it, and for no other", async () => {
    const config = { auths, credHelpers: { "password.example": "test" } };
    const found = { username: "me", password: "word" };
    assert.deepEqual(await credentialsFor("password.example", config), { ...found, serveraddress: "password.example" });
    const kept = { username: "you", password: "file", serveraddress: "file.example" };
    assert.deepEqual(await credentialsFor("file.example", config), kept);
    assert.equal(await credentialsFor("stranger.example", config), undefined);
  });

  test("comes before the one for all, and says a token where there is no password", async () => {
    const config = { credsStore: "missing", credHelpers: { "token.example": "test" } };
    const token = { identitytoken: "refresh", serveraddress: "token.example" };
    assert.deepEqual(await credentialsFor("token.example", config), token);
    await assert.rejects(credentialsFor("stranger.example", config), /docker-credential-missing/);
  });

  test("that knows nobody is no failure; one that fails is, with its reason", async () => {
    const config = { credsStore: "test" };
    assert.equal(await credentialsFor("stranger.example", config), undefined);
    await assert.rejects(credentialsFor("broken.example", config), /docker-credential-test.*the keychain is locked/);
    await assert.rejects(credentialsFor("nonsense.example", config), /its answer is no JSON/);
  });

  test("that fails for one registry leaves the others theirs, when all are asked for", async () => {
    const config = { auths, credHelpers: { "broken.example": "test", "password.example": "test" } };
    const said: string[] = [];
    const all = await allCredentials(config, (line) => said.push(line));
    assert.deepEqual(Object.keys(all).sort(), ["file.example", "password.example"]);
    assert.match(said.join(""), /broken\.example.*the keychain is locked/);
  });
});
