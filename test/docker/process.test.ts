/** What a container runs, as whom, where and with which environment. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { cannotRun, Engine } from "../engine.ts";
import { imageOf, probeLayer } from "../probe/image.ts";
import { busybox, inspected, said } from "./containers.ts";
import { Runner } from "./run.ts";

const probe = fileURLToPath(new URL("../../build/probe", import.meta.url));
const defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

describe("the process of a container", { skip: cannotRun() }, () => {
  let engine: Engine;
  let runner: Runner;
  let directory: string;
  before(async () => {
    directory = mkdtempSync(join(tmpdir(), "pier-process-"));
    engine = await Engine.launch();
    runner = new Runner(engine);
    await engine.load();
    await engine.load(await imageOf());
    const config = {
      Entrypoint: ["/probe", "args"],
      Cmd: ["of", "the image"],
      Env: ["PATH=/", "A=image", "B=image"],
      User: "app",
      WorkingDir: "/home/app/made",
      StopSignal: "SIGUSR1",
      Labels: { a: "image", b: "image" },
    };
    await engine.load(await imageOf({ name: "full:latest", config }));
    await engine.load(
      await imageOf({ name: "bare:latest", layers: [probeLayer()], config: { Entrypoint: null, Env: null } }),
    );
  });
  after(async () => {
    await engine.stop();
    rmSync(directory, { recursive: true, force: true });
  });

  test("it is the first of its namespace, leads a session, and has three descriptors and umask 022", async () => {
    const said = await runner.says("probe", "id", "then", "umask", "then", "descriptors");
    assert.match(said, /^pid: 1\nppid: 0\npgid: 1\nsid: 1\nuid: 0 0 0\ngid: 0 0 0\ngroups: 0\numask: 0022\n/);
    assert.deepEqual(
      said.split("\n").flatMap((line) => /^(\d+): mode/.exec(line)?.[1] ?? []),
      ["0", "1", "2"],
    );
    assert.match(said, /^0: mode 020666 device 1:3 \/dev\/null$/m);
  });

  test("the command, the entrypoint and the image's go together as in Docker", async () => {
    const words = async (...args: string[]) => (await runner.says(...args)).split("\n");
    assert.deepEqual(await words("full"), ["0: of", "1: the image"]);
    assert.deepEqual(await words("full", "own"), ["0: own"]);
    assert.deepEqual(await words("--entrypoint", "/probe", "full", "cwd"), ["cwd: /home/app/made"]);
    assert.deepEqual(await words("--entrypoint", "", "full", "/probe", "args", "x"), ["0: x"]);
    await runner.refuses(/no command specified/, "--entrypoint", "", "full");
    await runner.refuses(/no command specified/, "bare");
  });

  test("the environment is the image's, then the flags', then Docker's own", async () => {
    assert.deepEqual((await runner.says("--hostname", "h", "probe", "env")).split("\n").sort(), [
      "HOME=/root",
      "HOSTNAME=h",
      "PATH=/",
    ]);
    const file = join(directory, "env");
    writeFileSync(file, "# a comment\n\nFILE=one two\nTAKEN\nABSENT\nB=file\n");
    const args = ["run", "--rm", "--network", "none", "--hostname", "h", "--env-file", file];
    const own = ["-e", "B=own", "-e", "TAKEN2", "-e", "HOME=/else", "-e", "EMPTY=", "-e", "A"];
    const ran = await engine.docker([...args, ...own, "--entrypoint", "/probe", "full", "env"], {
      env: { TAKEN: "from the client", TAKEN2: "too", A: undefined },
    });
    assert.deepEqual(ran.stdout.trimEnd().split("\n").sort(), [
      "B=own",
      "EMPTY=",
      "FILE=one two",
      "HOME=/else",
      "HOSTNAME=h",
      "PATH=/",
      "TAKEN2=too",
      "TAKEN=from the client",
    ]);
    assert.match(await runner.says("bare", "/probe", "env"), new RegExp(`^PATH=${defaultPath}$`, "m"));
    assert.match(await runner.says("-t", "probe", "env"), /^TERM=xterm\r$/m);
  });

  test("an env file that cannot be read, or is none, is refused", async () => {
    await runner.refuses(/no such file or directory/, "--env-file", join(directory, "absent"), "probe");
    const file = join(directory, "binary");
    writeFileSync(file, Uint8Array.of(0xff, 0x3d, 0x31, 0x0a));
    await runner.refuses(/invalid utf8 bytes/, "--env-file", file, "probe");
    await runner.refuses(/invalid environment variable: =x/, "-e", "=x", "probe");
  });

  test("the working directory is made if it is missing", async () => {
    assert.equal(
      await runner.says("-w", "/a/b", busybox, "sh", "-c", "pwd; stat -c %a:%u /a /a/b"),
      "/a/b\n755:0\n755:0",
    );
    assert.equal(await runner.says("--entrypoint", "/probe", "full", "cwd"), "cwd: /home/app/made");
    await runner.refuses(/working directory 'a' is invalid, it needs to be an absolute path/, "-w", "a", busybox);
    await runner.refuses(/Cannot mkdir: \/etc\/passwd is not a directory/, "-w", "/etc/passwd", busybox);
  });

  test("the user is a name or a number, with its groups and its home", async () => {
    const id = async (...args: string[]) => {
      const text = await runner.says(...args, "id", "then", "env");
      const line = (name: string) => new RegExp(`^${name}[:=] ?(.*)$`, "m").exec(text)?.[1];
      return [line("uid"), line("gid"), line("groups"), line("HOME")];
    };
    assert.deepEqual(await id("-u", "app", "probe"), ["1000 1000 1000", "1000 1000 1000", "29 1000", "/home/app"]);
    assert.deepEqual(await id("-u", "1000", "probe"), ["1000 1000 1000", "1000 1000 1000", "29 1000", "/home/app"]);
    assert.deepEqual(await id("-u", "7:8", "probe"), ["7 7 7", "8 8 8", "8", "/"]);
    assert.deepEqual(await id("-u", "app:audio", "probe"), ["1000 1000 1000", "29 29 29", "29", "/home/app"]);
    const groups = ["--group-add", "audio", "--group-add", "77"];
    assert.deepEqual(await id("-u", "7", ...groups, "probe"), ["7 7 7", "0 0 0", "0 29 77", "/"]);
  });

  test("a user or group that nobody knows, or that is no number of one, is refused", async () => {
    await runner.refuses(
      /unable to find user nobody-here: no matching entries in passwd file/,
      "-u",
      "nobody-here",
      busybox,
    );
    await runner.refuses(
      /unable to find group none-here: no matching entries in group file/,
      "-u",
      "0:none-here",
      busybox,
    );
    await runner.refuses(/unable to find group none-here/, "--group-add", "none-here", busybox);
    for (const user of ["4294967296", "2147483648", "-1", "0:4294967296"])
      await runner.refuses(
        /uids and gids must be in range 0-2147483647|unable to find user/,
        "-u",
        user,
        busybox,
        "id",
      );
  });

  test("the host name is the container's short id, or the one that was asked for", async () => {
    const cidfile = join(directory, "cid");
    const own = await runner.says(
      "--cidfile",
      cidfile,
      busybox,
      "sh",
      "-c",
      "hostname; cat /etc/hostname; echo $HOSTNAME",
    );
    const [name = "", ...same] = own.split("\n");
    assert.match(name, /^[0-9a-f]{12}$/);
    assert.deepEqual(same, [name, name]);
    const asked = ["--hostname", "web", "--domainname", "example.org"];
    assert.match(await runner.says(...asked, "probe", "host"), /^name: web\ndomain: example\.org\n/);
    const kept = join(directory, "kept");
    const id = await said(engine, "create", "--cidfile", kept, "probe", "host");
    assert.equal(await inspected(engine, "{{.HostConfig.ContainerIDFile}}", id), kept);
    await said(engine, "rm", id);
  });

  test("labels and the name are kept, and a name belongs to one container", async () => {
    const id = await said(engine, "create", "--name", "named", "--label", "b=own", "--label", "c", "full");
    assert.equal(
      await inspected(engine, "{{.Name}} {{json .Config.Labels}}", id),
      '/named {"a":"image","b":"own","c":""}',
    );
    await runner.refuses(
      new RegExp(`Conflict. The container name "/named" is already in use by container "${id}". You have to remove`),
      ...["--name", "named", "full"],
    );
    await runner.refuses(/Invalid container name \(a\/b\)/, "--name", "a/b", "full");
    await said(engine, "rm", "named");
    assert.equal(await runner.says("--name", "named", "probe", "args", "again"), "0: again");
  });

  test("the built-in init reaps, passes signals on and gives the program's exit code", async () => {
    assert.equal((await runner.run(["--init", busybox, "sh", "-c", "exit 3"])).code, 3);
    assert.equal((await runner.run(["--init", busybox, "sh", "-c", "kill -9 $$"])).code, 137);
    const zombies = "grep -l '^State:.Z' /proc/[0-9]*/status 2>/dev/null | wc -l";
    const script = `cat /proc/1/comm; /probe orphans 20; until [ $(${zombies}) = 0 ]; do :; done; echo none`;
    const mount = ["-v", `${probe}:/probe:ro`];
    assert.equal(await runner.says("--init", ...mount, busybox, "sh", "-c", script), "docker-init\norphans: 20\nnone");
    const id = await runner.detached("--init", "probe", "trap", "1");
    await runner.hasSaid(id, /ready/);
    await said(engine, "stop", id);
    assert.deepEqual([await said(engine, "logs", id), await said(engine, "wait", id)], ["ready\nsignal 15", "15"]);
  });
});
