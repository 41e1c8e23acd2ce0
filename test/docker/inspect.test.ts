/** What was asked for is what inspect shows, field by field as Docker answers it. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { cannotRun, Engine } from "../engine.ts";
import { busybox, said } from "./containers.ts";

type Json = { readonly [key: string]: unknown };

const fixtureLabels = {
  "org.fixture.name": "busybox",
  "org.fixture.source": "Debian busybox-static 1:1.35.0-4+deb12u1+b1",
};

describe("inspect", { skip: cannotRun() }, () => {
  let engine: Engine;
  let directory: string;
  before(async () => {
    directory = mkdtempSync(join(tmpdir(), "pier-inspect-"));
    engine = await Engine.launch();
    await engine.load();
  });
  after(async () => {
    await engine.stop();
    rmSync(directory, { recursive: true, force: true });
  });

  const inspect = async (id: string): Promise<Json> => {
    const [answer] = JSON.parse(await said(engine, "inspect", id)) as Json[];
    return answer ?? assert.fail("no answer");
  };
  /** The fields of the answer that the expectation names. */
  const assertHas = (answer: unknown, expected: Json) => {
    const fields = answer as Json;
    assert.deepEqual(Object.fromEntries(Object.keys(expected).map((key) => [key, fields[key]])), expected);
  };

  test("every flag of create", async () => {
    const mebibyte = 2 ** 20;
    const flags = [
      ...[
        "--name",
        "all",
        "-it",
        "--network",
        "none",
        "-e",
        "A=1",
        "-w",
        "/w",
        "-u",
        "1000:5",
        "--entrypoint",
        "/bin/sh",
      ],
      ...["--hostname", "h", "--domainname", "d.e", "--label", "l=1", "-m", "32m", "--memory-swap", "64m"],
      ...[
        "--memory-reservation",
        "10m",
        "--cpus",
        "0.5",
        "--cpu-shares",
        "99",
        "--cpuset-cpus",
        "0",
        "--pids-limit",
        "50",
      ],
      ...[
        "--ulimit",
        "nofile=10:20",
        "--tmpfs",
        "/t:size=1m",
        "--read-only",
        "--shm-size",
        "2m",
        "-v",
        `${directory}:/v:ro`,
      ],
      ...[
        "--mount",
        `type=bind,src=${directory},dst=/m`,
        "--mount",
        "type=tmpfs,dst=/mt,tmpfs-size=1m,tmpfs-mode=0700",
      ],
      ...["--cap-add", "NET_ADMIN", "--cap-drop", "chown", "--security-opt", "no-new-privileges"],
      ...["--device", "/dev/null:/dev/n:r", "--sysctl", "net.ipv4.ip_forward=1", "--init", "--stop-signal", "USR1"],
      ...[
        "--stop-timeout",
        "3",
        "--oom-score-adj",
        "5",
        "--group-add",
        "audio",
        "--ipc",
        "shareable",
        "--cgroupns",
        "private",
      ],
      ...[
        "--add-host",
        "a:192.0.2.1",
        "--dns",
        "192.0.2.2",
        "--dns-search",
        "s",
        "--dns-option",
        "o",
        "--expose",
        "80",
      ],
      ...["-p", "127.0.0.1:8080:81/tcp", "--log-opt", "max-size=1m"],
    ];
    const id = await said(engine, "create", ...flags, busybox, "-c", "true");
    const { Config, HostConfig, State, Mounts, ...rest } = await inspect("all");
    assertHas(rest, {
      Id: id,
      Name: "/all",
      Path: "/bin/sh",
      Args: ["-c", "true"],
      RestartCount: 0,
      Platform: "linux",
    });
    assertHas(State, {
      Status: "created",
      Running: false,
      Paused: false,
      Restarting: false,
      OOMKilled: false,
      Dead: false,
      Pid: 0,
      ExitCode: 0,
      Error: "",
      StartedAt: "0001-01-01T00:00:00Z",
      FinishedAt: "0001-01-01T00:00:00Z",
    });
    assertHas(Config, {
      Hostname: "h",
      Domainname: "d.e",
      User: "1000:5",
      AttachStdin: true,
      AttachStdout: true,
      AttachStderr: true,
      ExposedPorts: { "80/tcp": {}, "81/tcp": {} },
      Tty: true,
      OpenStdin: true,
      StdinOnce: true,
      Env: ["A=1", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"],
      Cmd: ["-c", "true"],
      Image: busybox,
      WorkingDir: "/w",
      Entrypoint: ["/bin/sh"],
      Labels: { ...fixtureLabels, l: "1" },
      StopSignal: "USR1",
      StopTimeout: 3,
    });
    assertHas(HostConfig, {
      Binds: [`${directory}:/v:ro`],
      LogConfig: { Type: "json-file", Config: { "max-size": "1m" } },
      NetworkMode: "none",
      PortBindings: { "81/tcp": [{ HostIp: "127.0.0.1", HostPort: "8080" }] },
      RestartPolicy: { Name: "no", MaximumRetryCount: 0 },
      AutoRemove: false,
      CapAdd: ["CAP_NET_ADMIN"],
      CapDrop: ["CAP_CHOWN"],
      CgroupnsMode: "private",
      Dns: ["192.0.2.2"],
      DnsOptions: ["o"],
      DnsSearch: ["s"],
      ExtraHosts: ["a:192.0.2.1"],
      GroupAdd: ["audio"],
      IpcMode: "shareable",
      OomScoreAdj: 5,
      PidMode: "",
      Privileged: false,
      ReadonlyRootfs: true,
      SecurityOpt: ["no-new-privileges"],
      Tmpfs: { "/t": "size=1m" },
      UTSMode: "",
      ShmSize: 2 * mebibyte,
      Sysctls: { "net.ipv4.ip_forward": "1" },
      CpuShares: 99,
      Memory: 32 * mebibyte,
      NanoCpus: 500_000_000,
      CpusetCpus: "0",
      Devices: [{ PathOnHost: "/dev/null", PathInContainer: "/dev/n", CgroupPermissions: "r" }],
      MemoryReservation: 10 * mebibyte,
      MemorySwap: 64 * mebibyte,
      PidsLimit: 50,
      Ulimits: [{ Name: "nofile", Hard: 20, Soft: 10 }],
      Mounts: [
        { Type: "bind", Source: directory, Target: "/m" },
        { Type: "tmpfs", Target: "/mt", TmpfsOptions: { SizeBytes: mebibyte, Mode: 0o700 } },
      ],
      Init: true,
    });
    const mounts = (Mounts as Json[]).map(({ Type, Source, Destination, Mode, RW, Propagation }) => [
      Type,
      Source,
      Destination,
      Mode,
      RW,
      Propagation,
    ]);
    assert.deepEqual(mounts.sort(), [
      ["bind", directory, "/m", "", true, "rprivate"],
      ["bind", directory, "/v", "ro", false, "rprivate"],
      ["tmpfs", "", "/mt", "", true, ""],
    ]);
  });

  test("what was not asked for is as Docker has it", async () => {
    const id = await said(engine, "create", busybox, "true");
    const { Config, HostConfig } = await inspect(id);
    assertHas(Config, {
      Hostname: id.slice(0, 12),
      User: "",
      AttachStdin: false,
      Tty: false,
      OpenStdin: false,
      StdinOnce: false,
      Cmd: ["true"],
      Entrypoint: null,
      Volumes: null,
      OnBuild: null,
      Labels: fixtureLabels,
    });
    assertHas(HostConfig, {
      Binds: null,
      NetworkMode: "bridge",
      PortBindings: {},
      CapAdd: null,
      CapDrop: null,
      SecurityOpt: null,
      ExtraHosts: null,
      IpcMode: "private",
      CgroupnsMode: "private",
      ShmSize: 64 * 2 ** 20,
      Memory: 0,
      MemorySwap: 0,
      NanoCpus: 0,
      PidsLimit: null,
      Devices: [],
      Ulimits: [],
      OomKillDisable: false,
      ReadonlyPaths: ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"],
    });
  });

  test("a container that runs, and one that has run", async () => {
    const id = await said(engine, "run", "-d", "-i", "--network", "none", busybox, "sh", "-c", "exit 4");
    await said(engine, "wait", id);
    const { State, Created } = await inspect(id);
    const { StartedAt, FinishedAt } = State as { StartedAt: string; FinishedAt: string };
    assertHas(State, { Status: "exited", Running: false, ExitCode: 4, Pid: 0, Error: "" });
    assert.ok(
      String(Created) <= StartedAt && StartedAt <= FinishedAt,
      JSON.stringify([Created, StartedAt, FinishedAt]),
    );
    const running = await said(engine, "run", "-d", "--network", "none", busybox, "sleep", "1000");
    const { State: now, NetworkSettings } = await inspect(running);
    assertHas(now, { Status: "running", Running: true, ExitCode: 0, FinishedAt: "0001-01-01T00:00:00Z" });
    assert.ok(Number((now as Json).Pid) > 1);
    assert.deepEqual(Object.keys((NetworkSettings as Json).Networks as Json), ["none"]);
  });
});
