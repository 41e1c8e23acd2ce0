/** Dockerfiles, contexts and requests that would reach the host through a build, or leave in an image what is not its. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { base, type Entry, makeContext, printed } from "../build/contexts.ts";
import { cannotRun } from "../engine.ts";
import { execute } from "../execute.ts";
import { Stage } from "./stage.ts";

describe("hostile builds", { skip: cannotRun() }, () => {
  let stage: Stage;
  before(async () => {
    stage = await Stage.open();
  });
  after(() => stage[Symbol.asyncDispose]());

  const build = async (files: Readonly<Record<string, Entry>>, ...args: readonly string[]) => {
    const ran = await stage.engine.pier(["build", "--no-cache", ...args, makeContext(stage.engine, files)]);
    stage.canary.assertUnseen(ran.stdout + ran.stderr);
    stage.canary.assertUntouched();
    return ran;
  };

  test("CVE-2024-23651, CVE-2024-9675, CVE-2024-9676: sources of mounts and copies lead nowhere but into their own files", async () => {
    const { directory, secretFile } = stage.canary;
    const up = "../".repeat(12);
    const context = { link: { link: directory }, file: { link: secretFile }, root: { link: "/" } };
    const lost = [
      `RUN --mount=type=bind,source=${up}${secretFile},target=/s cat /s`,
      "RUN --mount=type=bind,source=link,target=/s cat /s/secret",
      "RUN --mount=type=bind,source=link/secret,target=/s cat /s",
      "RUN --mount=type=bind,source=file,target=/s cat /s",
      `RUN --mount=type=bind,from=other,source=/host${secretFile},target=/s cat /s`,
      `RUN --mount=type=bind,source=root${secretFile},target=/s cat /s`,
      `COPY ${up}${secretFile} /s`,
      "COPY link/secret /s",
      `COPY root${secretFile} /s`,
      `COPY --from=other /host${secretFile} /s`,
      "RUN --mount=type=bind,target=/c cat /c/file",
      "RUN --mount=type=bind,target=/c cat /c/link/secret",
    ];
    for (const line of lost) {
      const other = `FROM ${base} AS other\nRUN ln -s / /host\n`;
      const ran = await build({ ...context, Dockerfile: `${other}FROM ${base}\n${line}\n` });
      assert.notEqual(ran.code, 0, `${line}: ${ran.stderr}`);
    }
  });

  test("CVE-2024-23652, CVE-2024-9407: what is made to mount on, and taken away again, is never the host's", async () => {
    const { watched } = stage.canary;
    const ran = await build({
      Dockerfile: `FROM ${base}
RUN ln -s ${watched} /t && mkdir -p ${watched}
RUN --mount=type=cache,id=../../../../../..${watched},target=/t/cache echo x > /t/cache/f
RUN --mount=type=tmpfs,target=/t/tmp true
RUN --mount=type=tmpfs,target=/a/b/c umount /a/b/c 2>/dev/null; rm -rf /a 2>/dev/null; ln -s ${watched} /a || true
RUN --mount=type=bind,target=../../../../..${watched}/bound true
RUN --mount=type=cache,target=/d/e rm -rf /d/* /d 2>/dev/null; true
`,
    });
    assert.ok(ran.code === 0 || /ERROR/.test(ran.stderr), ran.stderr);
  });

  test("CVE-2024-23653: no step has more rights than a container has by default", async () => {
    for (const security of ["insecure", "unconfined", "1"]) {
      const ran = await build({ Dockerfile: `FROM ${base}\nRUN --security=${security} true\n` });
      assert.notEqual(ran.code, 0, security);
    }
    const script = "grep -E '^(CapInh|CapAmb|CapEff|Seccomp):' /proc/self/status";
    const ran = await build({ Dockerfile: `FROM ${base}\nRUN ${script} > /status\n` }, "-t", "rights");
    assert.equal(ran.code, 0, ran.stderr);
    const status = await printed(stage.engine, "rights", "cat", "/status");
    assert.equal(status, await printed(stage.engine, base, "sh", "-c", script));
    assert.match(status, /^CapInh:\t0+$/m);
    assert.match(status, /^CapAmb:\t0+$/m);
    assert.match(status, /^Seccomp:\t2$/m);
  });

  test("CVE-2019-13139 and its like: what a server calls its file is not where it goes", async () => {
    const server = createServer((_request, response) => {
      response.setHeader("content-disposition", `attachment; filename="../../../../..${stage.canary.watched}/f"`);
      response.end("theirs\n");
    });
    await once(server.listen(0, "127.0.0.1"), "listening");
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const ran = await build({ Dockerfile: `FROM ${base}\nADD ${url}/name /d/\n` }, "-t", "added");
    assert.equal(ran.code, 0, ran.stderr);
    assert.equal(await printed(stage.engine, "added", "sh", "-c", "find /d -type f; cat /d/name"), "/d/name\ntheirs\n");
    for (const path of ["/..%2f..%2fx", "/", "/a/..", "/%2e%2e"])
      await build({ Dockerfile: `FROM ${base}\nADD ${url}${path} /d/\n` });
    server.close();
    server.closeAllConnections();
  });

  test("a secret is in no layer, history, cache, record or log", async () => {
    const canary = `canary-${stage.canary.environment.PIER_CANARY.slice(0, 12)}`;
    const context = makeContext(stage.engine, {
      Dockerfile: `FROM ${base}
RUN --mount=type=secret,id=s --mount=type=secret,id=s,env=S test "$S" = "$(cat /run/secrets/s)"
RUN --mount=type=secret,id=s,target=/kept/s,mode=0444 cp /kept/s /dev/null
`,
    });
    const secret = join(makeContext(stage.engine, { secret: canary }), "secret");
    const exported = join(stage.engine.directory, "exported");
    const ran = await stage.engine.pier([
      ...["build", "-t", "secretive", "--secret", `id=s,src=${secret}`, "--progress", "plain"],
      ...["--cache-to", `type=local,dest=${exported},mode=max`, context],
    ]);
    assert.equal(ran.code, 0, ran.stderr);
    const told = [ran.stdout, ran.stderr];
    for (const args of [
      ["history", "--no-trunc", "secretive"],
      ["inspect", "secretive"],
      ["build", "explain", "--json"],
    ])
      told.push((await stage.engine.pier(args)).stdout);
    assert.ok(!told.join("").includes(canary));
    const { root, run, log } = stage.engine;
    const found = await execute("grep", ["-rla", canary, root, run, log, exported]);
    assert.equal(found.stdout, "");
  });

  test("CVE-2024-23650: a request that is none leaves the daemon alive", async () => {
    const { engine } = stage;
    const texts = [
      "{}",
      "[null]",
      "[{}]",
      '[{"Type":1}]',
      '[{"Type":"__proto__","Attrs":{}}]',
      "nonsense",
      "[[[[",
      '{"__proto__":{"a":"b"}}',
    ];
    for (const name of [
      "outputs",
      "cacheimports",
      "cacheexports",
      "cachefrom",
      "buildargs",
      "labels",
      "ulimits",
      "t",
      "platform",
    ]) {
      for (const text of texts) {
        const query = new URLSearchParams({ version: "2", [name]: text });
        const { status } = await engine.request("POST", `/build?${query}`, Buffer.from("no tar"));
        assert.ok(status === 200 || status === 400 || status === 501, `${name}=${text}: ${status}`);
      }
    }
    assert.equal((await engine.request("GET", "/_ping")).status, 200);
    assert.doesNotMatch(readFileSync(engine.log, "utf8"), /TypeError|RangeError|undefined is not/);
  });
});
