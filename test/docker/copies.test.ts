/** `docker cp` both ways, and the API beneath it: running and stopped containers, volumes, binds, links. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  chmodSync,
  chownSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, beforeEach, describe, test } from "node:test";
import { cannotRun, Engine } from "../engine.ts";
import { tarOf } from "../probe/image.ts";
import { busybox, said } from "./containers.ts";
import { Runner } from "./run.ts";

const clients = ["docker", "pier"] as const;

describe("copies", { skip: cannotRun() }, () => {
  let engine: Engine;
  let runner: Runner;
  let directory: string;
  let running: string;
  before(async () => {
    engine = await Engine.launch();
    runner = new Runner(engine);
    await engine.load();
  });
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), "pier-copies-"));
  });
  after(async () => {
    await engine.stop();
  });

  const clean = async (...ids: string[]): Promise<void> => {
    rmSync(directory, { recursive: true, force: true });
    if (ids.length > 0) await said(engine, "rm", "-f", "-v", ...ids);
  };
  const sleeper = (...flags: string[]) => runner.detached(...flags, busybox, "sleep", "1000");
  const stat = async (id: string, path: string) => {
    const answer = await engine.request("HEAD", `/containers/${id}/archive?path=${encodeURIComponent(path)}`);
    const header = answer.headers["x-docker-container-path-stat"] as string | undefined;
    return header === undefined ? answer.status : JSON.parse(Buffer.from(header, "base64").toString());
  };

  for (const client of clients) {
    const cp = async (...args: string[]): Promise<void> => {
      const ran = await engine[client](["cp", ...args]);
      assert.equal(ran.code, 0, `${client} cp ${args.join(" ")}\n${ran.stdout}${ran.stderr}`);
    };

    test(`${client}: a tree goes into a container and comes back the same`, async () => {
      const tree = join(directory, "tree");
      mkdirSync(join(tree, "deep/er"), { recursive: true });
      writeFileSync(join(tree, "file"), "content\n", { mode: 0o640 });
      writeFileSync(join(tree, "deep/er/big"), Buffer.alloc(3_000_001, 7));
      writeFileSync(join(tree, "empty"), "");
      linkSync(join(tree, "file"), join(tree, "same"));
      symlinkSync("/etc/passwd", join(tree, "link"));
      chownSync(join(tree, "empty"), 12, 34);
      chmodSync(join(tree, "deep"), 0o750);
      utimesSync(join(tree, "deep"), 1_000, 2_000);
      for (const state of ["running", "created", "stopped"]) {
        const id = state === "created" ? await said(engine, "create", busybox, "sleep", "1000") : await sleeper();
        if (state === "stopped") await said(engine, "kill", id);
        const back = join(directory, `back-${state}`);
        await cp(tree, `${id}:/made`);
        await cp(`${id}:/made`, back);
        const list = (path: string) =>
          execFileSync(
            "sh",
            ["-c", "find . -printf '%P %y %m %U:%G %s %l\\n' | sort; find . -type f -exec sha256sum {} + | sort"],
            {
              cwd: path,
              encoding: "utf8",
            },
          ).replaceAll(/ d (\d+ \d+:\d+) \d+ /g, " d $1 ");
        // Outside, everything is his who copies.
        assert.equal(list(back), list(tree).replace(" 12:34 ", " 0:0 "), state);
        assert.equal(statSync(join(back, "file")).ino, statSync(join(back, "same")).ino);
        assert.equal(statSync(join(back, "deep")).mtimeMs, 2_000_000);
        assert.equal(readlinkSync(join(back, "link")), "/etc/passwd");
        if (state !== "running") await said(engine, "start", id);
        assert.equal(
          await said(engine, "exec", id, "stat", "-c", "%a %u:%g", "/made/empty", "/made/deep"),
          "644 12:34\n750 0:0",
        );
        await said(engine, "rm", "-f", id);
      }
      await clean();
    });

    test(`${client}: what is called how follows cp's rules`, async () => {
      const id = await sleeper();
      writeFileSync(join(directory, "one"), "one");
      mkdirSync(join(directory, "many"));
      writeFileSync(join(directory, "many/two"), "two");
      const from = (name: string) => join(directory, name);
      await cp(from("one"), `${id}:/tmp`);
      await cp(from("one"), `${id}:/tmp/other`);
      await cp(from("many"), `${id}:/tmp`);
      await cp(`${from("many")}/.`, `${id}:/tmp/dot`);
      await cp(from("many"), `${id}:/tmp/renamed`);
      assert.equal(
        await said(engine, "exec", id, "sh", "-c", "cd /tmp; find . -type f | sort"),
        "./dot/two\n./many/two\n./one\n./other\n./renamed/two",
      );
      await cp(`${id}:/tmp/one`, from("got"));
      await cp(`${id}:/tmp/many`, from("got-many"));
      await cp(`${id}:/tmp/many/.`, from("many"));
      await cp(`${id}:/tmp/many`, from("many"));
      assert.deepEqual(readdirSync(from("many")).sort(), ["many", "two"]);
      assert.deepEqual([readFileSync(from("got"), "utf8"), readdirSync(from("got-many"))], ["one", ["two"]]);
      const fails = async (sentence: RegExp, ...args: string[]) => {
        const ran = await engine[client](["cp", ...args]);
        assert.equal(ran.code, 1, ran.stdout);
        assert.match(ran.stderr, sentence);
      };
      await fails(/Could not find the file \/none in container/, `${id}:/none`, directory);
      await fails(/No such container: nosuch/, "nosuch:/x", directory);
      await fails(/no such file or directory/, from("absent"), `${id}:/tmp`);
      await fails(/no such directory|not a directory|Could not find/i, from("one"), `${id}:/tmp/none/`);
      await fails(/cannot copy directory|cannot overwrite|not a directory/i, from("many"), `${id}:/tmp/one`);
      await fails(/copying between containers is not supported/, `${id}:/tmp`, `${id}:/tmp`);
      await clean(id);
    });

    test(`${client}: links are copied, or followed within the container where asked`, async () => {
      const id = await sleeper();
      writeFileSync(join(directory, "passwd"), "of the host");
      await said(
        engine,
        "exec",
        id,
        "sh",
        "-c",
        "mkdir /d; echo in >/d/f; ln -s /d/f /l; ln -s d /dl; ln -s ../../../../etc/hostname /up",
      );
      await cp(`${id}:/l`, join(directory, "link"));
      assert.equal(readlinkSync(join(directory, "link")), "/d/f");
      await cp("-L", `${id}:/l`, join(directory, "followed"));
      assert.equal(readFileSync(join(directory, "followed"), "utf8"), "in\n");
      await cp(`${id}:/dl/`, join(directory, "through"));
      assert.deepEqual(readdirSync(join(directory, "through")), ["f"]);
      await cp("-L", `${id}:/up`, join(directory, "up"));
      assert.equal(readFileSync(join(directory, "up"), "utf8"), `${id.slice(0, 12)}\n`);
      await cp(join(directory, "passwd"), `${id}:/dl/in`);
      assert.equal(await said(engine, "exec", id, "cat", "/d/in"), "of the host");
      symlinkSync(join(directory, "passwd"), join(directory, "own"));
      await cp(join(directory, "own"), `${id}:/own`);
      await cp("-L", join(directory, "own"), `${id}:/owned`);
      assert.equal(
        await said(engine, "exec", id, "sh", "-c", "readlink /own; cat /owned"),
        `${join(directory, "passwd")}\nof the host`,
      );
      await clean(id);
    });

    test(`${client}: archives by standard input and output`, async () => {
      const id = await sleeper();
      const archive = await tarOf([
        { path: "a", type: "directory", mode: 0o700 },
        { path: "a/b", content: "piped", uid: 7, gid: 8 },
      ]);
      const put = await engine[client](["cp", "-", `${id}:/tmp`], { input: archive });
      assert.equal(put.code, 0, put.stderr);
      assert.equal(await said(engine, "exec", id, "sh", "-c", "cat /tmp/a/b; stat -c %u:%g /tmp/a/b"), "piped7:8");
      const got = await engine[client](["cp", `${id}:/tmp/a`, "-"]);
      writeFileSync(join(directory, "got.tar"), got.stdout, "latin1");
      assert.equal(execFileSync("tar", ["-tf", join(directory, "got.tar")], { encoding: "utf8" }), "a/\na/b\n");
      await clean(id);
    });
  }

  test("volumes and binds are seen, whether the container runs or not, and what is read-only stays so", async () => {
    const host = join(directory, "host");
    mkdirSync(host);
    writeFileSync(join(host, "file"), "bound");
    const flags = ["-v", "copied-1:/vol", "-v", `${host}:/bind`, "-v", `${host}:/ro:ro`, "--tmpfs", "/mem"];
    running = await sleeper(...flags);
    const created = await said(engine, "create", ...flags, busybox);
    writeFileSync(join(directory, "new"), "new");
    for (const id of [running, created]) {
      await said(engine, "cp", join(directory, "new"), `${id}:/vol/${id}`);
      await said(engine, "cp", join(directory, "new"), `${id}:/bind/${id}`);
      assert.equal(readFileSync(join(engine.root, "volumes/copied-1/data", id), "utf8"), "new");
      assert.equal(readFileSync(join(host, id), "utf8"), "new");
      await said(engine, "cp", `${id}:/bind/file`, join(directory, id));
      assert.equal(readFileSync(join(directory, id), "utf8"), "bound");
      const refused = await engine.docker(["cp", join(directory, "new"), `${id}:/ro/x`]);
      assert.match(refused.stderr, /mounted volume is marked read-only/);
    }
    await said(engine, "cp", join(directory, "new"), `${running}:/mem/x`);
    assert.equal(await said(engine, "exec", running, "cat", "/mem/x"), "new");
    const readonly = await sleeper("--read-only");
    const refused = await engine.docker(["cp", join(directory, "new"), `${readonly}:/x`]);
    assert.match(refused.stderr, /container rootfs is marked read-only/);
    await clean(running, created, readonly);
    await said(engine, "volume", "rm", "copied-1");
  });

  test("the header tells what is there, as Go would", async () => {
    const id = await sleeper();
    await said(
      engine,
      "exec",
      id,
      "sh",
      "-c",
      "mkdir -m 1755 /d; touch -d @1000 /d/f; chmod 4711 /d/f; ln -s d/f /l; ln -s none /broken; mkfifo /p",
    );
    const { mtime, ...directoryStat } = await stat(id, "/d");
    assert.match(mtime, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/);
    assert.deepEqual(
      { ...directoryStat, size: 0 },
      { name: "d", size: 0, mode: 2 ** 31 + 2 ** 20 + 0o755, linkTarget: "" },
    );
    const file = await stat(id, "d/f");
    assert.deepEqual(file, {
      name: "f",
      size: 0,
      mode: 2 ** 23 + 0o711,
      mtime: "1970-01-01T00:16:40Z",
      linkTarget: "",
    });
    assert.deepEqual([(await stat(id, "/l")).linkTarget, (await stat(id, "/broken")).linkTarget], ["/d/f", "/none"]);
    assert.equal((await stat(id, "/l")).mode, 2 ** 27 + 0o777);
    assert.equal((await stat(id, "/p")).mode, 2 ** 25 + 0o644);
    assert.equal((await stat(id, "/dev/null")).mode, 2 ** 26 + 2 ** 21 + 0o666);
    assert.equal(await stat(id, "/none"), 404);
    assert.equal(await stat(id, ""), 400);
    assert.equal((await stat(id, "/")).name, "/");
    await clean(id);
  });

  test("archives that are put: compressed ones, owners, kinds that are kept, names that lead out", async () => {
    const id = await sleeper("--user", "5:6");
    const put = (query: string, body: Uint8Array) =>
      engine.request("PUT", `/containers/${id}/archive?${query}`, body, { "content-type": "application/x-tar" });
    const archive = await tarOf([{ path: "x/y", content: "z", uid: 9, gid: 9 }]);
    assert.equal((await put("path=/tmp", execFileSync("gzip", { input: archive }))).status, 200);
    assert.equal(await said(engine, "exec", id, "stat", "-c", "%u:%g", "/tmp/x/y"), "9:9");
    assert.equal((await put("path=/tmp&copyUIDGID=1", archive)).status, 200);
    assert.equal(await said(engine, "exec", id, "stat", "-c", "%u:%g", "/tmp/x/y"), "5:6");
    const file = await tarOf([{ path: "x", content: "a file" }]);
    const kept = await put("path=/tmp&noOverwriteDirNonDir=true", file);
    assert.match(kept.body, /cannot overwrite directory \\"\/tmp\/x\\" with non-directory/);
    assert.equal((await put("path=/tmp", file)).status, 200);
    assert.equal(await said(engine, "exec", id, "cat", "/tmp/x"), "a file");
    assert.match(
      (await put("path=/tmp&noOverwriteDirNonDir=true", archive)).body,
      /not a directory|cannot overwrite non-directory/i,
    );
    for (const path of ["../out", "/../../out", "a/../../out"]) {
      const answer = await put("path=/tmp", await tarOf([{ path, content: "x" }]));
      assert.equal(answer.status === 200 ? "in" : answer.status, path.startsWith("/") ? "in" : 400, path);
    }
    assert.equal(
      (await put("path=/tmp", await tarOf([{ path: "hard", type: "hardlink", link: "../../etc/shadow" }]))).status,
      400,
    );
    assert.match((await put("path=/etc/passwd", file)).body, /extraction point is not a directory/);
    assert.equal((await put("path=/none", file)).status, 404);
    assert.equal((await put("path=/tmp", Buffer.from("this is no archive".repeat(100)))).status, 400);
    await clean(id);
  });

  test("a container's file system is exported without what is mounted in it", async () => {
    const id = await sleeper("-v", "/vol", "--tmpfs", "/mem");
    await said(engine, "exec", id, "sh", "-c", "echo new >/new; rm /bin/vi; touch /vol/x /mem/x; ln /new /same");
    for (const state of ["running", "stopped"]) {
      if (state === "stopped") await said(engine, "kill", id);
      const archive = join(directory, `${state}.tar`);
      await said(engine, "export", "-o", archive, id);
      const names = execFileSync("tar", ["-tf", archive], { encoding: "utf8" }).split("\n");
      for (const name of ["new", "same", "bin/busybox", "vol/", "mem/", "proc/", "etc/hostname"])
        assert.ok(names.includes(name), `${state}: ${name}`);
      for (const name of ["bin/vi", "vol/x", "mem/x", "proc/1/", "./", ""])
        assert.ok(!names.slice(0, -1).includes(name), `${state}: ${name}`);
      const content = execFileSync("tar", ["-xOf", archive, "new", "etc/hostname"], { encoding: "utf8" });
      assert.equal(content, "new\n");
      assert.match(execFileSync("tar", ["-tvf", archive, "same"], { encoding: "utf8" }), /link to new/);
    }
    await clean(id);
  });

  test("nobody is waited for: a client that stops reading holds up neither the container nor its start", async () => {
    const id = await said(engine, "create", busybox, "sleep", "1000");
    const held = engine.spawn("docker", ["export", id]);
    await new Promise((resolve) => held.stdout?.once("readable", resolve));
    await said(engine, "start", id);
    await said(engine, "exec", id, "true");
    held.kill("SIGKILL");
    await clean(id);
  });

  test("what a container swaps while it is copied stays within the container", async () => {
    const canary = join(directory, "canary");
    mkdirSync(canary);
    writeFileSync(join(canary, "secret"), "of the host");
    const script = [
      "mkdir -p /s/real /s/d; echo inside >/s/real/secret",
      `ln -s ${canary} /s/link`,
      "while :; do mv -T /s/real /s/d/x; mv -T /s/link /s/real; mv -T /s/real /s/link; mv -T /s/d/x /s/real; done",
    ].join("; ");
    const id = await runner.detached(busybox, "sh", "-c", script);
    const file = join(directory, "file");
    writeFileSync(file, "put");
    const seen = new Set<string>();
    const end = Date.now() + 5_000;
    for (let round = 0; Date.now() < end; round++) {
      const out = join(directory, `out-${round}`);
      // What goes while it is told breaks the answer off.
      const got = await engine
        .request("GET", `/containers/${id}/archive?path=/s/real/secret`)
        .catch((error: Error) => ({ status: error.message, body: "" }));
      assert.ok(!got.body.includes("of the host"));
      const archive = await tarOf([{ path: "put", content: "put" }]);
      const put = await engine.request("PUT", `/containers/${id}/archive?path=/s/real`, archive, {
        "content-type": "application/x-tar",
      });
      seen.add(`${got.status} ${put.status}`);
      assert.equal(existsSync(out), false);
    }
    assert.ok(seen.size > 1, "nothing was ever in the way");
    assert.deepEqual(readdirSync(canary), ["secret"]);
    assert.equal(lstatSync(join(canary, "secret")).size, 11);
    await clean(id);
  });
});
