/** certs.d: whom the daemon trusts for one registry, and who it is there, in the directories of pier and of Docker. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { appendFileSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { cannotRun, Engine } from "../engine.ts";
import { type Authority, hasOpenssl, makeAuthority } from "../registry/certificates.ts";
import { busybox, said } from "./containers.ts";
import { DebianRegistry, hasRegistry } from "./registries.ts";

const skip = cannotRun() || hasRegistry || (hasOpenssl ? false : "needs openssl");

/** /etc as it is, until it is closed; what is written there meanwhile is nobody's else. */
class OwnEtc implements Disposable {
  readonly #directory = mkdtempSync("/dev/shm/pier-etc-");

  constructor() {
    const [upper, work] = [join(this.#directory, "upper"), join(this.#directory, "work")];
    for (const one of [upper, work]) mkdirSync(one);
    const layers = `lowerdir=/etc,upperdir=${upper},workdir=${work}`;
    execFileSync("mount", ["-t", "overlay", "-o", layers, "overlay", "/etc"]);
  }

  [Symbol.dispose](): void {
    execFileSync("umount", ["--lazy", "/etc"]);
    rmSync(this.#directory, { recursive: true });
  }
}

describe("a registry that shows and wants certificates", { skip }, () => {
  let etc: OwnEtc;
  let authority: Authority;
  let registry: DebianRegistry;
  let engine: Engine;
  let host: string;
  before(async () => {
    etc = new OwnEtc();
    // Loopback may do without encryption; a name that only leads there may not.
    appendFileSync("/etc/hosts", "127.0.0.1 registry.test\n");
    authority = makeAuthority();
    const file = (name: string): string => join(authority.directory, name);
    const tls = `certificate: ${file("server.crt")}, key: ${file("server.key")}, clientcas: ["${file("ca.crt")}"]`;
    registry = await DebianRegistry.start({ http: `tls: {${tls}}` });
    engine = await Engine.launch();
    await engine.load();
    host = `registry.test:${registry.port}`;
    await said(engine, "tag", busybox, `${host}/app:1`);
  });
  after(async () => {
    await engine?.stop();
    await registry?.stop();
    if (authority !== undefined) rmSync(authority.directory, { recursive: true });
    etc?.[Symbol.dispose]();
  });

  test("is pushed to and pulled from by who has them in certs.d, from the moment that they are there", async () => {
    const refused = async (sentence: RegExp): Promise<void> => {
      const { code, stdout, stderr } = await engine.docker(["push", `${host}/app:1`]);
      assert.notEqual(code, 0);
      assert.match(stdout + stderr, sentence);
    };
    const docker = join("/etc/docker/certs.d", host);
    await refused(/the certificate of registry\.test:\d+ cannot be trusted/);
    mkdirSync(docker, { recursive: true });
    writeFileSync(join(docker, "ca.crt"), authority.ca);
    writeFileSync(join(docker, "client.cert"), authority.client.cert);
    await refused(/cannot use the certificates in .*: client\.cert is there without client\.key/);
    writeFileSync(join(docker, "client.key"), authority.client.key);
    await said(engine, "push", `${host}/app:1`);
    for (const client of ["docker", "pier"] as const) {
      await said(engine, "rmi", `${host}/app:1`);
      const pulled = await engine[client](["pull", `${host}/app:1`]);
      assert.equal(pulled.code, 0, pulled.stderr);
    }
    mkdirSync("/etc/pier/certs.d", { recursive: true });
    renameSync(docker, join("/etc/pier/certs.d", host));
    await said(engine, "pull", `${host}/app:1`);
  });
});
