import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { ContainerInspect, ContainerSummary } from "../../api/answers/containers.ts";
import type { ImageSummary, ProgressLine } from "../../api/answers/images.ts";
import { PierError } from "../../base/errors.ts";
import type { ContainerId } from "../../base/ids.ts";
import { imageError } from "../../image/errors.ts";
import { testEndpoint } from "../../network/test-endpoint.ts";
import { ask, imageId, Line, makeImage, makeRecord, type Reply, World } from "../test-services.ts";

const read = <T>(reply: Reply): T => {
  assert.equal(reply.status, 200, reply.body);
  return JSON.parse(reply.body) as T;
};

const filtered = (filters: object): string => encodeURIComponent(JSON.stringify(filters));
const running = (startedAt = Date.now() - 5000) => ({ status: "running", pid: 42, startedAt }) as const;

describe("GET /containers/json", () => {
  const list = async (world: World, query: string): Promise<string[]> =>
    read<ContainerSummary[]>(await ask(world, "GET", `/containers/json?${query}`)).map(({ Names }) => Names[0]!);

  const town = (world: World): void => {
    world.records.push(
      makeRecord("d", { Labels: { tier: "db" } }, { state: running() }),
      makeRecord("c", { ExposedPorts: { "80/tcp": {} } }, { state: { status: "created" } }),
      makeRecord(
        "b",
        {},
        {
          state: { status: "exited", exitCode: 3, oomKilled: false, startedAt: 1, finishedAt: Date.now() - 7_200_000 },
        },
      ),
    );
  };

  it("shows what runs, all when asked, and as many as asked", async () => {
    await using world = await World.open();
    town(world);
    assert.deepEqual(await list(world, ""), ["/name-d"]);
    assert.deepEqual(await list(world, "all=1"), ["/name-d", "/name-c", "/name-b"]);
    assert.deepEqual(await list(world, "limit=2"), ["/name-d", "/name-c"]);
  });

  it("filters as dockerd does", async () => {
    await using world = await World.open();
    town(world);
    const all = (filters: object) => list(world, `all=1&filters=${filtered(filters)}`);
    assert.deepEqual(await all({ name: ["^name-b$"] }), ["/name-b"]);
    assert.deepEqual(await all({ name: ["/name-c"] }), ["/name-c"]);
    assert.deepEqual(await all({ id: ["d00"] }), ["/name-d"]);
    assert.deepEqual(await all({ label: ["tier=db"] }), ["/name-d"]);
    assert.deepEqual(await list(world, `filters=${filtered({ status: { exited: true } })}`), ["/name-b"]);
    assert.deepEqual(await all({ exited: ["3"] }), ["/name-b"]);
    assert.deepEqual(await all({ before: ["name-c"] }), ["/name-b"]);
    assert.deepEqual(await all({ since: ["name-c"] }), ["/name-d"]);
    assert.deepEqual(await all({ ancestor: ["busybox:1.35"] }), ["/name-d", "/name-c", "/name-b"]);
    assert.deepEqual(await all({ ancestor: ["nothing"] }), []);
    assert.deepEqual(await all({ expose: ["80"] }), ["/name-c"]);
    assert.deepEqual(await all({ expose: ["70-79/tcp"] }), []);
    assert.deepEqual(await all({ network: ["bridge"] }), ["/name-d", "/name-c", "/name-b"]);
    assert.deepEqual(await all({ "is-task": ["true"] }), []);
    assert.deepEqual(await all({ health: ["none"], label: ["tier"] }), ["/name-d"]);
  });

  it("tells a container's state in words", async () => {
    await using world = await World.open();
    town(world);
    const summaries = read<ContainerSummary[]>(await ask(world, "GET", "/containers/json?all=1"));
    assert.deepEqual(
      summaries.map(({ Status, State }) => [State, Status]),
      [
        ["running", "Up 5 seconds"],
        ["created", "Created"],
        ["exited", "Exited (3) 2 hours ago"],
      ],
    );
  });

  it("names the image by its id when the name has moved on", async () => {
    await using world = await World.open();
    town(world);
    world.image = makeImage({ tags: [] });
    const [summary] = read<ContainerSummary[]>(await ask(world, "GET", "/containers/json"));
    assert.equal(summary!.Image, imageId);
  });
});

describe("GET /containers/{id}/json", () => {
  it("gives back what was asked for, and Docker's defaults for the rest", async () => {
    await using world = await World.open();
    world.records.push(
      makeRecord("a", {
        Env: ["A=b"],
        Labels: { l: "1" },
        ExposedPorts: { "80/tcp": {} },
        Volumes: { "/vol": {} },
        HostConfig: {
          Binds: ["/tmp:/mnt:ro"],
          Mounts: [{ Type: "tmpfs", Target: "/scratch", TmpfsOptions: { SizeBytes: 1048576, Mode: 448 } }],
          Tmpfs: { "/x": "size=1m" },
          Memory: 33554432,
          CapAdd: ["NET_ADMIN"],
          PortBindings: { "80/tcp": [{ HostPort: "8080" }] },
          Ulimits: [{ Name: "nofile", Soft: 1, Hard: 2 }],
        },
      }),
    );
    const inspect = read<ContainerInspect>(await ask(world, "GET", "/containers/a/json"));
    assert.deepEqual([inspect.Path, inspect.Args, inspect.Name], ["sleep", ["1000"], "/name-a"]);
    assert.equal(inspect.Config.Hostname, "a00000000000");
    assert.deepEqual(inspect.Config.Env, ["A=b"]);
    assert.deepEqual(inspect.Config.Volumes, { "/vol": {} });
    assert.deepEqual(inspect.Config.ExposedPorts, { "80/tcp": {} });
    const { HostConfig: host } = inspect;
    assert.deepEqual(host.Binds, ["/tmp:/mnt:ro"]);
    assert.deepEqual(host.Tmpfs, { "/x": "size=1m" });
    assert.deepEqual(host.Mounts, [
      { Type: "tmpfs", Target: "/scratch", TmpfsOptions: { SizeBytes: 1048576, Mode: 0o700 } },
    ]);
    assert.deepEqual([host.Memory, host.MemorySwap, host.PidsLimit], [33554432, 67108864, null]);
    assert.deepEqual([host.CapAdd, host.CapDrop], [["CAP_NET_ADMIN"], null]);
    assert.deepEqual(host.PortBindings, { "80/tcp": [{ HostIp: "", HostPort: "8080" }] });
    assert.deepEqual(host.Ulimits, [{ Name: "nofile", Soft: 1, Hard: 2 }]);
    assert.deepEqual([host.NetworkMode, host.IpcMode, host.PidMode], ["bridge", "private", ""]);
    assert.ok(host.MaskedPaths!.includes("/proc/kcore"));
    assert.deepEqual(
      inspect.Mounts.map(({ Type, Source, Destination, RW }) => [Type, Source, Destination, RW]),
      [
        ["bind", "/tmp", "/mnt", false],
        ["tmpfs", "", "/scratch", true],
      ],
    );
    assert.deepEqual(inspect.NetworkSettings.Ports, {});
  });

  it("shows a running container's place in its network", async () => {
    await using world = await World.open();
    const port = { protocol: "tcp", hostAddress: "0.0.0.0", hostPort: 8080, containerPort: 80 } as const;
    const endpoints = [testEndpoint("172.17.0.2", [port])];
    const body = { ExposedPorts: { "80/tcp": {}, "90/udp": {} } };
    world.records.push(makeRecord("a", body, { state: running(), endpoints }));
    const { NetworkSettings: network, GraphDriver } = read<ContainerInspect>(
      await ask(world, "GET", "/containers/a/json"),
    );
    assert.deepEqual(network.Ports, { "80/tcp": [{ HostIp: "0.0.0.0", HostPort: "8080" }], "90/udp": null });
    assert.deepEqual([network.IPAddress, network.Gateway], ["172.17.0.2", "172.17.0.1"]);
    assert.equal(network.Networks.bridge!.IPAddress, "172.17.0.2");
    assert.equal(network.SandboxKey, "/proc/42/ns/net");
    assert.equal(GraphDriver.Data!.MergedDir, "/proc/42/root");
    const [summary] = read<ContainerSummary[]>(await ask(world, "GET", "/containers/json"));
    assert.deepEqual(summary!.Ports, [
      { IP: "0.0.0.0", PrivatePort: 80, Type: "tcp", PublicPort: 8080 },
      { PrivatePort: 90, Type: "udp" },
    ]);
  });
});

describe("POST /containers/…", () => {
  it("creates by a name, and refuses images that are not here", async () => {
    await using world = await World.open();
    const body = '{"Image":"busybox:1.35","Cmd":["true"]}';
    const created = await ask(world, "POST", "/containers/create?name=web", body);
    assert.deepEqual([created.status, JSON.parse(created.body)], [201, { Id: "c".repeat(64), Warnings: [] }]);
    assert.equal((world.asked[0] as unknown[])[2], "web");
    const missing = await ask(world, "POST", "/containers/create", '{"Image":"nope"}');
    assert.equal(missing.status, 404);
    const other = await ask(world, "POST", "/containers/create?platform=linux/arm64", body);
    assert.deepEqual(
      [other.status, JSON.parse(other.body)],
      [400, { message: "the image is for linux/amd64, not for linux/arm64" }],
    );
  });

  it("says 304 for what is so already", async () => {
    await using world = await World.open({ start: async () => "already", stop: async () => "already" });
    for (const verb of ["start", "stop"]) assert.equal((await ask(world, "POST", `/containers/a/${verb}`)).status, 304);
  });

  it("passes on timeouts and signals", async () => {
    await using world = await World.open();
    await ask(world, "POST", "/containers/a/stop?t=0&signal=INT");
    await ask(world, "POST", "/containers/a/restart?t=-1");
    await ask(world, "POST", "/containers/a/kill?signal=HUP");
    await ask(world, "POST", "/containers/a/resize?h=24&w=80");
    await ask(world, "DELETE", "/containers/a?force=1&v=1");
    assert.deepEqual(world.asked, [
      ["stop", "a", { signal: "INT", timeout: 0 }],
      ["restart", "a", { timeout: -1 }],
      ["kill", "a", "HUP"],
      ["resize", "a", 24, 80],
      ["remove", "a", { force: true, volumes: true }],
    ]);
    assert.equal((await ask(world, "POST", "/containers/a/resize?h=x&w=1")).status, 400);
    assert.equal((await ask(world, "POST", "/containers/a/rename")).status, 400);
  });

  it("sends the head of a wait before there is anything to say", async () => {
    const { promise, resolve } = Promise.withResolvers<{ exitCode: number }>();
    await using world = await World.open({ wait: () => promise });
    world.records.push(makeRecord("a"));
    using line = new Line(world);
    line.say("POST /containers/a/wait?condition=next-exit HTTP/1.1\r\nHost: x\r\n\r\n");
    assert.match(await line.until("\r\n\r\n"), /^HTTP\/1\.1 200 OK\r\n/);
    resolve({ exitCode: 137 });
    assert.match(await line.until("}"), /\{"StatusCode":137\}$/);
    assert.equal((await ask(world, "POST", "/containers/a/wait?condition=never")).status, 400);
    assert.equal((await ask(world, "POST", "/containers/b/wait")).status, 404);
  });

  it("ends a wait whose client has gone", async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    await using world = await World.open({
      wait: (_reference, _condition, signal) =>
        new Promise((_, reject) => {
          signal.addEventListener("abort", () => {
            resolve();
            reject(signal.reason as Error);
          });
        }),
    });
    world.records.push(makeRecord("a"));
    const line = new Line(world);
    line.say("POST /containers/a/wait HTTP/1.1\r\nHost: x\r\n\r\n");
    await line.until("\r\n\r\n");
    line[Symbol.dispose]();
    await promise;
    assert.ok(!world.logged.some((text) => text.includes(" error ")));
  });
});

describe("GET /containers/{id}/logs", () => {
  it("streams what the container said, and stops when the client goes", async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    const said = async function* (follow: boolean, signal: AbortSignal) {
      yield Buffer.from("one");
      if (!follow) return;
      await new Promise((wake) => signal.addEventListener("abort", wake));
      resolve();
    };
    await using world = await World.open({
      logs: async (_reference, options, signal) => {
        world.asked.push(options);
        return said(options.follow, signal);
      },
    });
    world.records.push(makeRecord("a"));
    const all = await ask(world, "GET", "/containers/a/logs?stdout=1&tail=5&since=1.5");
    assert.deepEqual([all.status, all.body], [200, "one"]);
    assert.equal(all.headers["content-type"], "application/vnd.docker.multiplexed-stream");
    const asked = world.asked[0] as { tail: number; since: bigint; stderr: boolean };
    assert.deepEqual([asked.tail, asked.since, asked.stderr], [5, 1_500_000_000n, false]);
    const line = new Line(world);
    line.say("GET /containers/a/logs?stdout=1&follow=1&tail=all HTTP/1.1\r\nHost: x\r\n\r\n");
    await line.until("one");
    line[Symbol.dispose]();
    await promise;
    assert.equal((await ask(world, "GET", "/containers/a/logs")).status, 400);
  });
});

describe("images", () => {
  it("are listed with what older clients look for", async () => {
    await using world = await World.open();
    const [image] = read<(ImageSummary & { VirtualSize?: number })[]>(await ask(world, "GET", "/images/json"));
    assert.deepEqual([image!.Id, image!.Size, image!.Created], [imageId, 1234, 1_704_067_200]);
    assert.equal(image!.VirtualSize, undefined);
    const [old] = read<{ VirtualSize?: number }[]>(await ask(world, "GET", "/v1.40/images/json"));
    assert.equal(old!.VirtualSize, 1234);
  });

  it("are found by a pattern of their name, each by the names that fit", async () => {
    await using world = await World.open();
    const tags = async (reference: string) =>
      read<ImageSummary[]>(await ask(world, "GET", `/images/json?filters=${filtered({ reference: [reference] })}`)).map(
        ({ RepoTags }) => RepoTags,
      );
    assert.deepEqual(await tags("busy*"), [["busybox:1.35"]]);
    assert.deepEqual(await tags("busybox:1.3?"), [["busybox:1.35"]]);
    assert.deepEqual(await tags("registry.example/*/*"), [["registry.example/tools/busybox:latest"]]);
    assert.deepEqual(await tags("*box:2"), []);
  });

  it("are loaded with a line for each step, the last of them the error", async () => {
    const lines: ProgressLine[] = [{ status: "Loading layer", progressDetail: { current: 1 } }, { stream: "Loaded\n" }];
    await using world = await World.open(
      {},
      {
        async load(source, { progress }) {
          const chunks = await Array.fromAsync(source);
          if (Buffer.concat(chunks).toString() !== "a tar") throw new PierError("bad", 400, "not an archive");
          for (const line of lines) progress?.(line);
        },
      },
    );
    const type = { "Content-Type": "application/x-tar" };
    const loaded = await ask(world, "POST", "/images/load", "a tar", type);
    assert.equal(loaded.body, `${lines.map((line) => JSON.stringify(line)).join("\r\n")}\r\n`);
    const quiet = await ask(world, "POST", "/images/load?quiet=1", "a tar", type);
    assert.equal(quiet.body, '{"stream":"Loaded\\n"}\r\n');
    const failed = await ask(world, "POST", "/images/load", "no tar", type);
    assert.deepEqual(JSON.parse(failed.body), { errorDetail: { message: "not an archive" }, error: "not an archive" });
  });

  it("are pulled with lines, and with a status while there was nothing to tell", async () => {
    const asked: unknown[] = [];
    await using world = await World.open(
      {},
      {},
      {
        pull: async (reference, { progress, credentials, allTags }) => {
          asked.push([reference, credentials?.username, allTags]);
          if (reference === "nothing:1") throw imageError("noSuchImage", { name: reference });
          progress?.({ status: "Pulling", id: "1" });
          if (reference === "half:1") throw imageError("noSuchImage", { name: reference });
        },
      },
    );
    const auth = { "X-Registry-Auth": Buffer.from('{"username":"me","password":"x"}').toString("base64url") };
    const whole = await ask(world, "POST", "/images/create?fromImage=nginx&tag=1", "", auth);
    assert.deepEqual([whole.status, whole.body], [200, '{"status":"Pulling","id":"1"}\r\n']);
    const none = await ask(world, "POST", "/images/create?fromImage=nothing&tag=1");
    assert.deepEqual([none.status, none.body], [404, '{"message":"No such image: nothing:1"}\n']);
    const half = await ask(world, "POST", "/images/create?fromImage=half&tag=1");
    assert.match(half.body, /"error":"No such image: half:1"/);
    await ask(world, "POST", "/images/create?fromImage=all");
    const spoilt = await ask(world, "POST", "/images/create?fromImage=x&tag=1", "", {
      "X-Registry-Auth": "bm90IGpzb24=",
    });
    assert.equal(spoilt.status, 400);
    assert.deepEqual(asked, [
      ["nginx:1", "me", false],
      ["nothing:1", undefined, false],
      ["half:1", undefined, false],
      ["all", undefined, true],
    ]);
  });

  it("are removed and tagged by any of their names", async () => {
    await using world = await World.open();
    assert.equal((await ask(world, "POST", "/images/busybox:1.35/tag?repo=a/b&tag=1")).status, 201);
    const removed = await ask(world, "DELETE", "/images/registry.example/tools/busybox:latest?force=1");
    assert.deepEqual(JSON.parse(removed.body), [{ Untagged: "busybox:1.35" }]);
    assert.deepEqual(world.asked[0], ["tag", "busybox:1.35", "a/b:1"]);
  });
});

describe("what is not there", () => {
  it("is an empty list, or Docker's 404", async () => {
    await using world = await World.open();
    assert.deepEqual(read(await ask(world, "GET", "/volumes")), { Volumes: [], Warnings: null });
    const volume = await ask(world, "GET", "/volumes/data");
    assert.deepEqual([volume.status, JSON.parse(volume.body)], [404, { message: "get data: no such volume" }]);
    const network = await ask(world, "GET", "/networks/mine");
    assert.deepEqual([network.status, JSON.parse(network.body)], [404, { message: "network mine not found" }]);
  });

  it("leaves the kernel's own networks", async () => {
    await using world = await World.open();
    const names = read<{ Name: string }[]>(await ask(world, "GET", "/networks")).map(({ Name }) => Name);
    assert.deepEqual(names, ["host", "none"]);
    assert.equal(read<{ Driver: string }>(await ask(world, "GET", "/networks/none")).Driver, "null");
  });
});

describe("exec sessions", () => {
  it("are inspected as Docker shows them", async () => {
    await using world = await World.open();
    world.records.push(makeRecord("a"));
    const body = '{"Cmd":["sh","-c","exit 3"],"AttachStdout":true,"User":"app"}';
    const { Id } = JSON.parse((await ask(world, "POST", "/containers/a/exec", body)).body) as { Id: string };
    const exec = world.execs.get(Id)!;
    world.execs.set(Id, { ...exec, state: { status: "exited", exitCode: 3 } });
    const answer = read<Record<string, unknown>>(await ask(world, "GET", `/exec/${Id}/json`));
    assert.deepEqual(
      [answer.Running, answer.ExitCode, answer.ContainerID],
      [false, 3, "a".padEnd(64, "0") as ContainerId],
    );
    assert.deepEqual(answer.ProcessConfig, {
      tty: false,
      entrypoint: "sh",
      arguments: ["-c", "exit 3"],
      privileged: false,
      user: "app",
    });
    assert.equal((await ask(world, "GET", "/exec/nope/json")).status, 404);
    assert.equal((await ask(world, "POST", `/exec/${Id}/start`, "{}")).status, 409);
  });
});
