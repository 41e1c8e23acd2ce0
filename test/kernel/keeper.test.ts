/** The keeper for real: what it promises from the first step to the exit file. Needs root. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  chownSync,
  copyFileSync,
  createReadStream,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  statSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { readFile } from "node:fs/promises";
import { connect, createServer, type Socket } from "node:net";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { encodePlan } from "../../src/kernel/encode.ts";
import { runCleaning } from "../../src/kernel/errand.ts";
import { openHolder, startTimeOf } from "../../src/kernel/holder.ts";
import { decodeExit, Keeper, type StepFailure } from "../../src/kernel/keeper.ts";
import { namespaces } from "../../src/kernel/numbers/namespaces.ts";
import { noSlot, type Plan, type Step } from "../../src/kernel/steps.ts";
import {
  cannotKeep,
  codeOf,
  descriptorsOf,
  isLean,
  Keepers,
  keeperProgram,
  makePipe,
  parentOf,
  probe,
  textBytes,
} from "./keepers.ts";

const empty: Plan = { outside: [], inside: [], after: [] };
const sleeper = [probe, "sleep"];
const shell = (script: string): string[] => ["/bin/sh", "-c", script];

const failureOf = async (promise: Promise<unknown>): Promise<Pick<StepFailure, "lane" | "index" | "errno">> => {
  const error = await promise.then(
    () => assert.fail("nothing failed"),
    (reason: unknown) => reason as StepFailure,
  );
  const { lane, index, errno } = error;
  return { lane, index, errno };
};

const privateKilobytes = (pid: number): number =>
  [...readFileSync(`/proc/${pid}/smaps_rollup`, "utf8").matchAll(/^Private_\w+:\s*(\d+)/gm)].reduce(
    (sum, [, size]) => sum + Number(size),
    0,
  );

// With a reset or without: `once` would take the first for a failure.
const closeOf = (socket: Socket): Promise<void> => new Promise((resolve) => socket.once("close", () => resolve()));

describe("the keeper", { skip: cannotKeep }, () => {
  let keepers: Keepers;
  before(async () => {
    keepers = await Keepers.open();
  });
  after(() => keepers[Symbol.asyncDispose]());

  test("its program can be run and never changed", () => {
    const { program } = keepers.holder;
    // Its mode, owner and times too: CVE-2019-5736's next of kin.
    for (const change of [
      () => openSync(program, "r+"),
      () => truncateSync(program),
      () => chmodSync(program, 0o444),
      () => chownSync(program, 1, 1),
      () => utimesSync(program, 0, 0),
    ])
      assert.throws(change, { code: "EROFS" });
    assert.equal(statSync(program).mode & 0o777, 0o555);
    assert.ok(readFileSync(program).equals(readFileSync(keeperProgram)));
  });

  describe("a plan", () => {
    test("that is none is refused before its first step", async () => {
      const valid = encodePlan(empty);
      const other = valid.slice();
      other[8] = 2;
      const refusals = [valid.subarray(0, 39), new Uint8Array(4096), valid.slice(1)].map((bytes) =>
        failureOf(keepers.launchBytes(bytes).exited),
      );
      for (const refusal of refusals)
        assert.deepEqual(await refusal, { lane: "outside", index: 0xffff_ffff, errno: 74 /* EBADMSG */ });
      const version = await failureOf(keepers.launchBytes(other).exited);
      assert.equal(version.errno, 93 /* EPROTONOSUPPORT */);
    });

    test("tells the lane, the step and the error number of what fails, and takes back what it did", async () => {
      const [made, kept] = [keepers.path("made"), keepers.path("kept")];
      const make: Step = { step: "createFile", path: made, mode: 0o600, content: textBytes("x") };
      const keep: Step = { step: "createFile", path: kept, mode: 0o600, content: textBytes("x") };
      const fail: Step = { step: "openDirectory", slot: "d", path: "/nowhere" };
      // What one step of the after lane cannot take away does not keep the next from its work.
      const undo: Step[] = [
        { step: "removeFile", path: "/nowhere" },
        { step: "removeFile", path: made },
      ];
      const outside = keepers.launch({ outside: [make, keep, fail], inside: [], after: undo });
      assert.deepEqual(await failureOf(outside.exited), { lane: "outside", index: 2, errno: 2 });
      assert.deepEqual([existsSync(made), existsSync(kept)], [false, true]);

      const clone: Step = { step: "clone", namespaces: 0, cgroup: noSlot };
      const inside = keepers.launch({
        outside: [make, clone, { step: "await", point: 2 }],
        inside: [{ step: "dieWithParent" }, { step: "changeDirectory", path: "/etc/passwd" }],
        after: undo,
      });
      assert.deepEqual(await failureOf(inside.exited), { lane: "inside", index: 1, errno: 20 });
      assert.equal(existsSync(made), false);
    });

    test("with a profile that the kernel does not know, or no name could have, goes no further", async () => {
      const clone: Step = { step: "clone", namespaces: 0, cgroup: noSlot };
      const confined = async (profile: string) => {
        const inside: Step[] = [{ step: "confine", profile }];
        return failureOf(keepers.launch({ outside: [clone], inside, after: [] }).exited);
      };
      const { lane, index, errno } = await confined("nowhere-to-be-found");
      // ENOENT where AppArmor looked for it, EINVAL where there is none (or no such file at all).
      assert.deepEqual({ lane, index, isKnown: [2, 22].includes(errno) }, { lane: "inside", index: 0, isKnown: true });
      assert.equal((await confined("x".repeat(5000))).errno, 36);
    });

    test("that fails behind its start tells that too", async () => {
      const [program, made] = [keepers.path("program"), keepers.path("made")];
      writeFileSync(program, "", { mode: 0o755 });
      chmodSync(program, 0o755);
      writeFileSync(program, "\u007fnothing that can be run");
      writeFileSync(made, "");
      for (const init of [false, true]) {
        writeFileSync(made, "");
        const { keeper, exitFile } = await keepers.create([program], {
          init,
          after: [{ step: "removeFile", path: made }],
        });
        const { lane, errno } = await failureOf(keeper.start());
        assert.deepEqual({ lane, errno }, { lane: "inside", errno: 8 /* ENOEXEC */ });
        assert.deepEqual([existsSync(made), existsSync(exitFile)], [false, false]);
      }
    });

    test("whose step's error is tolerated goes on", async () => {
      const path = keepers.path("directory");
      const make: Step = { step: "makeDirectory", path, mode: 0o1777 };
      await keepers.errand({ outside: [make, { ...make, tolerate: [17] }] });
      assert.equal(statSync(path).mode & 0o7777, 0o1777);
      assert.equal((await failureOf(keepers.errand({ outside: [{ ...make, tolerate: [2] }] }))).errno, 17);
    });

    test("with a slot that no step filled fails at the step that reads it", async () => {
      const steps: Step[] = [{ step: "joinProcess", slot: "nobody", kinds: namespaces.mount.flag }];
      assert.deepEqual(await failureOf(keepers.errand({ outside: steps })), { lane: "outside", index: 0, errno: 9 });
      const clone: Step = { step: "clone", namespaces: 0, cgroup: "nothing" };
      assert.equal((await failureOf(keepers.errand({ outside: [clone] }))).index, 0);
    });
  });

  describe("an errand", () => {
    const clone: Step = { step: "clone", namespaces: 0, cgroup: noSlot };

    test("reads files whole, also when the one behind them is missing", async () => {
      const large = keepers.path("large");
      const content = Buffer.from(Array.from({ length: 300_000 }, (_, index) => index * 7));
      writeFileSync(large, content);
      const reads: Step[] = [
        { step: "openRoot", path: "/" },
        { step: "readFile", index: 0, path: large, limit: 300_000 },
        { step: "readFile", index: 1, path: large, limit: 300_000 },
      ];
      for (let round = 0; round < 20; round++) {
        const keeper = await keepers.errand({ outside: [clone], inside: reads });
        assert.ok(keeper.bytes(0).equals(content) && keeper.bytes(1).equals(content), `round ${round}`);
        const missing: Step = { step: "readFile", index: 2, path: "/nowhere", limit: 1 };
        assert.deepEqual(await failureOf(keepers.errand({ outside: [clone], inside: [...reads, missing] })), {
          lane: "inside",
          index: 3,
          errno: 2,
        });
      }
    });

    test("loses nothing to a daemon that is busy with something else", async () => {
      const large = keepers.path("large");
      const content = Buffer.alloc(4 << 20, "a daemon's dozen");
      writeFileSync(large, content);
      const keeper = keepers.launch({
        outside: [clone],
        inside: [
          { step: "openRoot", path: "/" },
          { step: "readFile", index: 0, path: large, limit: content.length },
        ],
        after: [],
      });
      // Nothing is heard meanwhile: the event loop stands.
      execFileSync("sleep", ["1.2"]);
      assert.equal((await keeper.exited).status, 0);
      assert.ok(keeper.bytes(0).equals(content));
    });

    test("reads regular files only, and no more than the limit", async () => {
      const [pipe, link, long] = [keepers.path("pipe"), keepers.path("link"), keepers.path("long")];
      makePipe(pipe);
      writeFileSync(long, "12345");
      execFileSync("ln", ["-s", "/dev/zero", link]);
      const read = (path: string): Promise<number> =>
        failureOf(
          keepers.errand({
            outside: [clone],
            inside: [
              { step: "openRoot", path: "/" },
              { step: "readFile", index: 0, path, limit: 4 },
            ],
          }),
        ).then(({ errno }) => errno);
      assert.deepEqual(await Promise.all([pipe, link, "/", long, "/proc/cpuinfo"].map(read)), [22, 22, 22, 27, 27]);
      assert.equal(await read("/proc/self/exe"), 40 /* ELOOP: a magic link */);
    });

    test("whose process is killed has failed", async () => {
      await assert.rejects(
        keepers.errand({
          outside: [clone],
          inside: [
            { step: "findProgram", candidates: ["/bin/sh"] },
            { step: "exec", args: ["/bin/sh", "-c", "kill -9 $$"], env: [], init: 0 },
          ],
        }),
        { code: "keeperLost" },
      );
    });
  });

  describe("the commit point", () => {
    test("a daemon that goes before it leaves nothing behind", async () => {
      const told = makePipe(keepers.path("told"));
      const {
        keeper,
        process: mark,
        control,
      } = await keepers.create(sleeper, {
        after: [{ step: "write", path: told, content: textBytes("taken back") }],
      });
      const other = await Keeper.connect(control);
      assert.equal((await other.hello()).phase, "created");
      keeper.leave();
      assert.equal(await readFile(told, "utf8"), "taken back");
      await other.closed;
      assert.equal(startTimeOf(mark.pid), undefined);
    });

    test("a daemon that goes right behind it leaves a container that lives, and ends as it should", async () => {
      const [told, ended] = [makePipe(keepers.path("told")), makePipe(keepers.path("ended"))];
      const { keeper, exitFile, control } = await keepers.create(shell(`echo alive >${told}; exit 7`), {
        after: [{ step: "write", path: ended, content: textBytes("over") }],
      });
      const other = await Keeper.connect(control);
      keeper.start().catch(() => {});
      keeper.leave();
      assert.equal(await readFile(told, "utf8"), "alive\n");
      // The after lane waits for its reader: until it has run, there is no exit file.
      assert.equal(existsSync(exitFile), false);
      assert.equal(await readFile(ended, "utf8"), "over");
      const report = await other.exited;
      assert.equal(codeOf(report), 7);
      await other.closed;
      assert.deepEqual(decodeExit(readFileSync(exitFile)), report);
      assert.equal(existsSync(`${exitFile}.new`), false);
    });

    test("who connects is told where the container is", async () => {
      const { keeper, process: mark, control } = await keepers.create(sleeper);
      const early = await Keeper.connect(control);
      assert.deepEqual(await early.hello(), { phase: "created", process: mark });
      await keeper.start();
      await early.started;
      const late = await Keeper.connect(control);
      assert.deepEqual(await late.hello(), { phase: "running", process: mark });
      assert.equal(mark.startTime, startTimeOf(mark.pid));
      assert.equal(await late.signal(15 + 1000), 22);
      assert.equal(await late.resize(1, 1), 25 /* ENOTTY */);
      assert.equal(await late.signal(9), 0);
      assert.deepEqual(
        await Promise.all([keeper, early, late].map(async ({ exited }) => codeOf(await exited))),
        [137, 137, 137],
      );
    });
  });

  test("what comes in on the control socket may be anything", async () => {
    const { keeper, control } = await keepers.run(sleeper);
    const frame = (type: number, size: number, ...words: number[]): Buffer => {
      const bytes = Buffer.alloc(8 + words.length * 4);
      for (const [index, word] of [type, size, ...words].entries()) bytes.writeUInt32LE(word, index * 4);
      return bytes;
    };
    const talk = async (bytes: Uint8Array): Promise<Socket> => {
      const socket = connect(control);
      socket.on("error", () => {});
      await once(socket, "data");
      socket.write(bytes);
      return socket;
    };
    const closes = [
      Buffer.alloc(64, 0xff),
      frame(17, 0x7fff_ffff),
      frame(17, 17),
      Buffer.from("GET / HTTP/1.1\r\n\r\n"),
    ];
    await Promise.all(closes.map(async (bytes) => closeOf(await talk(bytes))));
    // Half a frame waits for its other half, and hurts nobody.
    const half = await talk(frame(17, 4, 0).subarray(0, 9));
    for (const odd of [frame(99, 0), frame(18, 4, 1), frame(17, 0), frame(19, 8, 1, 1), frame(1, 16, 1, 2, 3, 4)]) {
      const socket = await talk(odd);
      const [answer] = (await once(socket, "data")) as [Buffer];
      assert.deepEqual([answer.readUInt32LE(0), answer.readInt32LE(8)], [8, 71 /* EPROTO */]);
      socket.destroy();
    }
    const again = await talk(frame(16, 0));
    const crowd = await Promise.all(Array.from({ length: 1000 }, () => talk(frame(17, 4).subarray(0, 5))));
    // One that asks and asks and never listens is let go; its keeper answers the others meanwhile.
    const deaf = await talk(Buffer.concat(Array.from({ length: 5000 }, () => frame(17, 4, 0))));
    deaf.pause();
    assert.equal(await keeper.signal(0), 0);
    for (const socket of [half, again, deaf, ...crowd]) socket.destroy();
    const other = await Keeper.connect(control);
    assert.equal((await other.hello()).phase, "running");
    await keeper.signal(9);
    await keeper.closed;
  });

  test("out of descriptors, it takes connections again when there are some", async () => {
    const { keeper, process: mark, control } = await keepers.run(sleeper);
    execFileSync("prlimit", ["--pid", String(parentOf(mark.pid)), "--nofile=16:16"]);
    const sockets = Array.from({ length: 40 }, () => connect(control).on("error", () => {}));
    await Promise.any(sockets.map((socket) => once(socket, "data")));
    assert.equal(await keeper.signal(0), 0);
    for (const socket of sockets) socket.destroy();
    assert.equal((await (await Keeper.connect(control)).hello()).phase, "running");
    await keeper.signal(9);
    await keeper.closed;
  });

  describe("a keeper that is killed", () => {
    test("takes its container with it", async () => {
      const alive = makePipe(keepers.path("alive"));
      const { keeper, process: mark } = await keepers.create(shell(`exec ${probe} trap 0 >${alive}`), {
        namespaces: 0,
      });
      const read = createReadStream(alive);
      await Promise.all([keeper.start(), once(read, "data")]);
      process.kill(parentOf(mark.pid), "SIGKILL");
      await once(read, "end");
      await assert.rejects(keeper.exited, { code: "keeperLost" });
    });

    const group = ["/sys/fs/cgroup/unified", "/sys/fs/cgroup"].find((path) => existsSync(join(path, "cgroup.procs")));
    const noGroup = group === undefined ? "version 2 of control groups is not mounted" : false;
    test("leaves a set-uid program to the after lane", { skip: noGroup }, async () => {
      const alive = makePipe(keepers.path("alive"));
      const program = keepers.path("set-uid");
      const directory = join(group!, `pier-keeper-test-${process.pid}`);
      copyFileSync(probe, program);
      chownSync(program, 65534, 65534);
      chmodSync(program, 0o4755);
      chmodSync(keepers.directory, 0o755);
      mkdirSync(directory);
      const {
        keeper,
        process: mark,
        plan,
      } = await keepers.create(shell(`exec ${program} trap 0 >${alive}`), {
        namespaces: 0,
        inside: [{ step: "write", path: join(directory, "cgroup.procs"), content: textBytes("0") }],
        after: [
          { step: "killCgroup", path: directory, tolerate: [2] },
          { step: "removeDirectory", path: directory, tolerate: [2] },
        ],
      });
      const read = createReadStream(alive);
      await Promise.all([keeper.start(), once(read, "data")]);
      process.kill(parentOf(mark.pid), "SIGKILL");
      await keeper.closed;
      assert.equal(startTimeOf(mark.pid), mark.startTime);
      await Promise.all([runCleaning(keepers.holder, plan), once(read, "end")]);
      assert.equal(existsSync(directory), false);
      // "Gone already" counts as success.
      await runCleaning(keepers.holder, plan);
    });
  });

  describe("the program", () => {
    test("has three descriptors, its own environment and no signal blocked or ignored", async () => {
      const { text } = await keepers.output([probe, "descriptors", "then", "env", "then", "cat", "/proc/self/status"], {
        env: ["ONE=1", "TWO=two words"],
        outside: [{ step: "openDirectory", slot: "d", path: "/" }],
      });
      const numbers = [...text.matchAll(/^(\d+): mode/gm)].map(([, number]) => number);
      assert.deepEqual(numbers, ["0", "1", "2"]);
      assert.match(text, /^ONE=1\nTWO=two words\n/m);
      assert.doesNotMatch(text, /PATH=/);
      for (const set of ["SigBlk", "SigIgn", "SigCgt", "SigPnd", "ShdPnd"])
        assert.match(text, new RegExp(`^${set}:\\s0+$`, "m"));
    });

    test("cannot reach its keeper through its process group", async () => {
      const { code } = await keepers.output(shell("kill -9 0; exit 7"));
      assert.equal(code, 7);
      // Without pids of its own it kills itself, and nobody else.
      assert.equal((await keepers.output(shell("kill -9 0; exit 7"), { namespaces: 0 })).code, 137);
    });
  });

  describe("--init", () => {
    const options = { init: true, namespaces: namespaces.pid.flag | namespaces.mount.flag } as const;
    const ownProc: Step[] = [
      { step: "setPropagation", path: "/", flags: 0x44000 },
      { step: "mount", at: "", source: "proc", target: "/proc", type: "proc", flags: 0, data: "" },
    ];

    test("passes signals on, and the program's end is its own", async () => {
      const { keeper, ...container } = await keepers.create([probe, "trap", "2"], options);
      const client = await keepers.attach({ keeper, ...container });
      await keeper.start();
      await client.said("ready");
      assert.equal(await keeper.signal(10), 0);
      await client.said("signal 10");
      await keeper.signal(15);
      assert.equal(codeOf(await keeper.exited), 15);
      assert.equal((await keepers.output(shell("kill -9 $$"), options)).code, 137);
      assert.equal((await keepers.output(shell("exit 42"), options)).code, 42);
    });

    test("reaps what others leave, under the name that people expect", async () => {
      const script = `${probe} orphans 5; (:) & wait; tr '\\0' ' ' </proc/1/cmdline; cat /proc/1/comm; ls /proc/1/fd; while grep -q '^State:.Z' /proc/[0-9]*/status 2>/dev/null; do :; done; echo clean`;
      const { text, code } = await keepers.output(shell(script), { ...options, inside: ownProc });
      assert.equal(code, 0);
      assert.match(text, /^orphans: 5\n\/sbin\/docker-init *docker-init\n0\n1\n2\nclean\n$/);
    });
  });

  describe("a keeper at rest", () => {
    test("holds neither directories nor mounts, but its ports", async () => {
      const server = createServer().listen(0, "127.0.0.1");
      await once(server, "listening");
      const { port } = server.address() as { port: number };
      server.close();
      await once(server, "close");
      const { keeper, process: mark } = await keepers.run(sleeper, {
        outside: [
          { step: "openDirectory", slot: "directory", path: keepers.directory },
          { step: "openTree", slot: "tree", path: keepers.directory, recursive: 0 },
          { step: "openProcess", slot: "process", pid: keepers.holder.pid, startTime: keepers.holder.startTime },
          { step: "bindPort", slot: "port", protocol: 6, address: new Uint8Array([127, 0, 0, 1]), port },
        ],
      });
      const kinds = [...descriptorsOf(parentOf(mark.pid)).values()]
        .map((target) => target.replace(/:?\[.*\]$/, ""))
        .sort();
      assert.deepEqual(kinds, [
        ...["/dev/null", "/dev/null", "/dev/null"],
        ...["anon_inode", "anon_inode", "pipe", "pipe"],
        ...["socket", "socket", "socket"],
      ]);
      const clash = createServer().listen(port, "127.0.0.1");
      const [error] = (await once(clash, "error")) as [NodeJS.ErrnoException];
      assert.equal(error.code, "EADDRINUSE");
      await keeper.signal(9);
      await keeper.closed;
      const free = createServer().listen(port, "127.0.0.1");
      await once(free, "listening");
      free.close();
    });

    test("needs little memory of its own", { skip: isLean ? false : "the sanitizers need more" }, async () => {
      // What it shares with all keepers, its program, is in memory once: two make it shared.
      const [first, second] = await Promise.all([keepers.run(sleeper, { log: {} }), keepers.run(sleeper, { log: {} })]);
      const own = privateKilobytes(parentOf(second.process.pid));
      assert.ok(own < 150, `${own} KB`);
      for (const { keeper } of [first, second]) {
        await keeper.signal(9);
        await keeper.closed;
      }
    });
  });

  describe("the holder", () => {
    test("of another build takes over the namespace with its mounts, which the host never sees", async () => {
      const [build, file, mounted] = [keepers.path("keeper"), keepers.path("holder"), keepers.path("mounted")];
      mkdirSync(mounted);
      writeFileSync(file, "{ not a holder");
      const first = await openHolder(keeperProgram, file);
      assert.deepEqual(await openHolder(keeperProgram, file), first);
      const enter = ({ pid, startTime }: typeof first): Step[] => [
        { step: "openProcess", slot: "holder", pid, startTime },
        { step: "joinProcess", slot: "holder", kinds: namespaces.mount.flag },
      ];
      const mount: Step = { step: "mount", at: "", source: "none", target: mounted, type: "tmpfs", flags: 0, data: "" };
      const mark: Step = { step: "makeDirectory", path: join(mounted, "mark"), mode: 0o755 };
      await keepers.errand({ outside: [...enter(first), mount, mark] });
      assert.equal(existsSync(join(mounted, "mark")), false);
      writeFileSync(build, Buffer.concat([readFileSync(keeperProgram), Buffer.from("another")]), { mode: 0o755 });
      const second = await openHolder(build, file);
      assert.notEqual(second.pid, first.pid);
      assert.notEqual(second.build, first.build);
      await keepers.errand({ outside: [...enter(second), { step: "removeDirectory", path: join(mounted, "mark") }] });
      process.kill(second.pid, "SIGKILL");
    });
  });
});
