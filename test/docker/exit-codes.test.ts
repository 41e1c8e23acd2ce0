/** What `docker run`, `exec`, `start` and `wait` end with. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { cannotRun, Engine } from "../engine.ts";
import { imageOf, probeLayer } from "../probe/image.ts";
import { busybox, inspected, Listener, said } from "./containers.ts";
import { Runner } from "./run.ts";

describe("exit codes", { skip: cannotRun() }, () => {
  let engine: Engine;
  let runner: Runner;
  before(async () => {
    engine = await Engine.launch();
    runner = new Runner(engine);
    await engine.load();
    const broken = [
      { path: "broken", mode: 0o755, content: "\x7fELF no more" },
      { path: "script", mode: 0o755, content: "#!/nowhere/sh\n" },
    ];
    await engine.load(await imageOf({ layers: [probeLayer(), broken] }));
  });
  after(() => engine.stop());

  test("the program's own", async () => {
    const codes = [0, 1, 7, 125, 126, 127, 200, 255];
    const ran = await Promise.all(codes.map((code) => runner.run(["probe", "exit", String(code)])));
    assert.deepEqual(
      ran.map(({ code }) => code),
      codes,
    );
  });

  test("128 and the number of the signal that ended it", async () => {
    const client = new Listener(
      engine.spawn("docker", ["run", "--name", "killed", "--network", "none", "probe", "trap", "0"]),
    );
    await client.seen(/ready/);
    await said(engine, "kill", "killed");
    assert.equal(await client.ended(), 137);
    assert.equal(await inspected(engine, "{{.State.Status}} {{.State.ExitCode}}", "killed"), "exited 137");
    assert.equal(await said(engine, "wait", "killed"), "137");
    assert.equal((await runner.run(["--init", "probe", "signal", "11"])).code, 139);
    assert.equal((await runner.run(["--pid", "host", "probe", "signal", "15"])).code, 143);
  });

  const cases: readonly (readonly [code: number, sentence: RegExp, ...args: string[]])[] = [
    [127, /exec: "nosuch": executable file not found in \$PATH/, busybox, "nosuch"],
    [127, /exec: "\/no\/such": stat \/no\/such: no such file or directory/, busybox, "/no/such"],
    [127, /exec: "\/script": stat \/script: no such file or directory/, "--entrypoint", "/script", "probe"],
    [126, /exec: "\/etc\/passwd": permission denied/, busybox, "/etc/passwd"],
    [126, /exec: "\/etc": is a directory/, busybox, "/etc"],
    // Docker's command goes by the sentence, which must be one of those it knows; the daemon has it as 126.
    [125, /exec: "\/broken": exec format error/, "--entrypoint", "/broken", "probe"],
    [125, /Unable to find image 'nosuch:latest' locally/, "nosuch"],
    [125, /unknown flag: --bad/, "--bad", busybox],
    [125, /invalid reference format/, "UPPER"],
  ];
  for (const [code, sentence, ...args] of cases) {
    test(`${code}: ${args.join(" ").replace(busybox, "busybox")}`, async () => {
      const ran = await runner.run(args);
      assert.equal(ran.code, code, ran.stderr);
      assert.match(ran.stderr, sentence);
      assert.equal(ran.stdout, "");
      assert.equal(await said(engine, "ps", "-aq", "--filter", "status=created"), "", "nothing of it is left");
    });
  }

  test("a container whose program is not there stays, with code and reason, and can be tried again", async () => {
    const broken = await said(engine, "create", "--network", "none", "--entrypoint", "/broken", "probe");
    await engine.docker(["start", broken]);
    assert.equal(await inspected(engine, "{{.State.ExitCode}}", broken), "126");
    const id = await said(engine, "create", "--network", "none", busybox, "nosuch");
    for (const attach of [[], ["--attach"]]) {
      const ran = await engine.docker(["start", ...attach, id]);
      assert.equal(ran.code, 1);
      assert.match(ran.stderr, /exec: "nosuch": executable file not found in \$PATH/);
      const format = "{{.State.Status}} {{.State.ExitCode}} {{.State.Error}}";
      assert.match(await inspected(engine, format, id), /^created 127 .*executable file not found in \$PATH$/);
    }
  });

  test("exec has the session's code, 127 and 126 for what cannot be run, and refuses a stopped container", async () => {
    const id = await runner.detached(busybox, "sleep", "1000");
    const exec = async (...args: string[]) => {
      const { code, stdout, stderr } = await engine.docker(["exec", ...args]);
      return [code, stdout + stderr] as const;
    };
    assert.deepEqual(await exec(id, "sh", "-c", "exit 9"), [9, ""]);
    assert.deepEqual(await exec(id, "sh", "-c", "kill -KILL $$"), [137, ""]);
    assert.deepEqual(await exec(id, "sh", "-c", "kill -TERM $$"), [143, ""]);
    for (const [code, sentence, ...args] of [
      [127, /executable file not found in \$PATH/, id, "nosuch"],
      [127, /no such file or directory/, id, "/no/such"],
      [126, /permission denied/, id, "/etc/passwd"],
      [126, /Cwd must be an absolute path/, "-w", "relative", id, "true"],
      [126, /is a directory/, id, "/etc"],
      [126, /unable to find user nobody-here/, "-u", "nobody-here", id, "true"],
      [126, /chdir to cwd \("\/no\/such"\)/, "-w", "/no/such", id, "true"],
      [1, /No such container: nosuch/, "nosuch", "true"],
    ] as const) {
      const [got, text] = await exec(...args);
      assert.equal(got, code, text);
      assert.match(text, sentence);
    }
    await said(engine, "kill", id);
    const [code, text] = await exec(id, "true");
    assert.equal(code, 1);
    assert.match(text, /is not running/);
  });

  test("start --attach and attach end with the container's code", async () => {
    const id = await said(
      engine,
      "create",
      "-i",
      "--network",
      "none",
      busybox,
      "sh",
      "-c",
      "read line; echo got $line; exit 5",
    );
    const ran = await engine.docker(["start", "--attach", "--interactive", id], { input: "word\n" });
    assert.deepEqual([ran.code, ran.stdout], [5, "got word\n"]);
    const again = new Listener(engine.spawn("docker", ["start", "--attach", "--interactive", id]));
    const other = new Listener(engine.spawn("docker", ["wait", id]));
    await runner.hasSaid(id, /^/);
    again.child.stdin?.write("more\n");
    assert.deepEqual([await again.ended(), again.text], [5, "got more\n"]);
    assert.equal(await other.ended(), 0);
    assert.equal(other.text, "5\n");
  });
});
