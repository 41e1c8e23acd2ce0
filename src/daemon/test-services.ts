/** A small world behind the front desk, for tests of the wire: containers are records, their streams are echoes. */
import { mkdtempSync, rmSync } from "node:fs";
import { request as httpRequest } from "node:http";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Duplex } from "node:stream";
import { Database } from "../base/database.ts";
import { PierError } from "../base/errors.ts";
import type { ContainerId, ExecId, ImageId } from "../base/ids.ts";
import { containerError } from "../container/errors.ts";
import type { ContainerRecord } from "../container/record.ts";
import { parseCreateRequest } from "../container/request-parse.ts";
import { ownRuntime, Runtimes } from "../container/runtimes.ts";
import { imageError } from "../image/errors.ts";
import type { ImageRecord } from "../image/record.ts";
import type { HostFacts } from "../kernel/facts.ts";
import { testNetwork } from "../network/test-endpoint.ts";
import { Registries } from "../registry/registry.ts";
import { volumeError } from "../volume/errors.ts";
import { BuildKitDesk } from "./buildkit/desk.ts";
import { EventLog } from "./events.ts";
import { Log } from "./log.ts";
import { Server } from "./server.ts";
import type { BuildService, ContainerService, ExecView, ImageService, PullService, Services } from "./services.ts";

export const imageId = `sha256:${"1".repeat(64)}` as ImageId;

export const makeImage = (more: Partial<ImageRecord> = {}): ImageRecord => ({
  id: imageId,
  config: {
    User: "",
    ExposedPorts: null,
    Env: ["PATH=/bin"],
    Entrypoint: null,
    Cmd: ["sh"],
    Volumes: null,
    WorkingDir: "",
    Labels: null,
    StopSignal: undefined,
    StopTimeout: undefined,
    Healthcheck: undefined,
    Shell: null,
    OnBuild: null,
    ArgsEscaped: undefined,
  },
  layers: [],
  size: 1234,
  created: "2024-01-01T00:00:00Z",
  tags: ["busybox:1.35", "registry.example/tools/busybox:latest"],
  digests: [],
  architecture: "amd64",
  variant: "",
  os: "linux",
  osVersion: "",
  author: "",
  comment: "",
  dockerVersion: "",
  history: [],
  lastTagged: "",
  ...more,
});

export const makeRecord = (id: string, body: object = {}, more: Partial<ContainerRecord> = {}): ContainerRecord => ({
  id: id.padEnd(64, "0") as ContainerId,
  name: `name-${id}`,
  created: 1_700_000_000_000,
  request: parseCreateRequest({ Image: "busybox:1.35", Cmd: ["sleep", "1000"], ...body }),
  image: { id: imageId, reference: "busybox:1.35" },
  command: ["sleep", "1000"],
  endpoints: [],
  state: { status: "created" },
  restarts: 0,
  ...more,
});

export const host: HostFacts = {
  cgroup: {
    version: "v2",
    v1: [],
    v2: { controllers: ["cpu", "memory", "pids"], mountPoint: "/sys/fs/cgroup", own: "/", kill: true, freeze: true },
    swap: true,
  },
  layerFormat: "file",
  kernelRelease: "6.18.0",
  architecture: "x86_64",
  osName: "Debian GNU/Linux 12 (bookworm)",
  osVersion: "12",
  hostname: "machine",
  bootId: "1",
  memory: 2 ** 34,
  pageSize: 4096,
  cpus: 2,
  throttledCpus: [],
  capabilities: [],
  seccompActions: ["allow"],
  apparmor: false,
  selinux: "absent",
  ipv4Forwarding: true,
  bridgeFirewall: { ipv4: false, ipv6: false },
};

/** Answers what the client says, and ends when it does. */
export const echo = (client: Duplex): Promise<void> =>
  new Promise((resolve) => {
    client.on("data", (chunk: Buffer) => {
      if (!client.write(chunk)) {
        client.pause();
        client.once("drain", () => client.resume());
      }
    });
    client.once("end", () => resolve());
    client.once("close", () => resolve());
  });

export class World implements AsyncDisposable {
  readonly directory = mkdtempSync(join(tmpdir(), "pier-daemon-"));
  readonly socket = join(this.directory, "pier.sock");
  readonly records: ContainerRecord[] = [];
  readonly execs = new Map<string, ExecView>();
  /** What was asked of the rooms, in order. */
  readonly asked: unknown[] = [];
  readonly logged: string[] = [];
  readonly database = new Database(join(this.directory, "pier.db"));
  readonly events = new EventLog(this.database);
  image = makeImage();
  attach: (client: Duplex) => Promise<void> = echo;
  #server: Server | undefined;

  static async open(
    containers: Partial<ContainerService> = {},
    images: Partial<ImageService> = {},
    pulls: Partial<PullService> = {},
  ): Promise<World> {
    const world = new World();
    world.#server = new Server(world.#services(containers, images, pulls));
    await world.#server.listen([{ kind: "unix", path: world.socket }]);
    return world;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server?.close();
    this.events.flush();
    this.database[Symbol.dispose]();
    rmSync(this.directory, { recursive: true, force: true });
  }

  get(reference: string): ContainerRecord {
    const found = this.records.find(({ id, name }) => id.startsWith(reference) || name === reference);
    if (found === undefined) throw containerError("noSuchContainer", { name: reference });
    return found;
  }

  #services(
    containers: Partial<ContainerService>,
    images: Partial<ImageService>,
    pulls: Partial<PullService>,
  ): Services {
    const refuse = (): never => {
      throw new PierError("untested", 500, "not part of this test");
    };
    const note =
      <T>(name: string, answer: T) =>
      (...args: readonly unknown[]): T => {
        this.asked.push([name, ...args]);
        return answer;
      };
    const named = (reference: string): ImageRecord => {
      if (reference !== this.image.id && !this.image.tags.includes(reference))
        throw imageError("noSuchImage", { name: reference });
      return this.image;
    };
    const builds: BuildService = {
      build: async () => ({ id: imageId, outputs: [] }),
      cache: async () => [],
      explain: () => undefined,
      prune: async () => ({ gone: [], bytes: 0 }),
      tell: async () => ({ name: "Dockerfile", text: "", about: "check", warnings: [] }),
    };
    return {
      containers: {
        create: async (request, name) => {
          this.asked.push(["create", request, name]);
          return { id: "c".repeat(64) as ContainerId, warnings: [] };
        },
        explain: refuse,
        start: note("start", Promise.resolve("started" as const)),
        stop: note("stop", Promise.resolve("stopped" as const)),
        restart: note("restart", Promise.resolve()),
        kill: note("kill", Promise.resolve()),
        wait: refuse,
        remove: note("remove", Promise.resolve()),
        unlink: note("unlink", Promise.resolve()),
        rename: note("rename", Promise.resolve()),
        update: note("update", Promise.resolve([])),
        usage: note("usage", Promise.resolve(undefined)),
        pause: note("pause", Promise.resolve()),
        unpause: note("unpause", Promise.resolve()),
        resize: note("resize", Promise.resolve()),
        get: (reference) => this.get(reference),
        list: () => this.records,
        sizes: refuse,
        processes: refuse,
        attach: (_reference, request, client) => {
          this.asked.push(["attach", request]);
          return this.attach(client);
        },
        logs: refuse,
        createExec: async (reference, request) => {
          const id = "e".repeat(64) as ExecId;
          this.execs.set(id, { id, container: this.get(reference).id, request, state: { status: "created" } });
          return id;
        },
        startExec: async (_id, options, client) => {
          this.asked.push(["startExec", options]);
          if (client !== undefined) await this.attach(client);
        },
        resizeExec: note("resizeExec", Promise.resolve()),
        getExec: (id) => {
          const found = this.execs.get(id);
          if (found === undefined) throw containerError("noSuchExec", { id });
          return found;
        },
        execsOf: () => [],
        copies: { stat: refuse, read: refuse, write: refuse, export: refuse },
        commits: { changes: refuse, commit: refuse },
        volumeUsers: () => [],
        onEvent: () => () => {},
        ...containers,
      },
      pulls: { pull: refuse, prune: refuse, ...pulls },
      database: { problem: () => undefined },
      pushes: { push: refuse },
      registries: new Registries(),
      images: {
        load: refuse,
        importRoot: refuse,
        save: refuse,
        check: refuse,
        stack: () => [],
        diskUse: () => Promise.resolve(new Map()),
        diskSize: () => 0,
        find: (reference) =>
          reference === this.image.id || this.image.tags.includes(reference) ? this.image : undefined,
        get: named,
        forPlatform: async (reference) => named(reference),
        list: () => [this.image],
        layerSize: () => 0,
        history: () => [],
        tag: note("tag", undefined),
        remove: note("removeImage", [{ Untagged: "busybox:1.35" }]),
        removePlatforms: refuse,
        collect: () => {},
        onEvent: () => () => {},
        ...images,
      },
      memberships: { create: refuse, remove: refuse, connect: refuse, disconnect: refuse },
      networks: { find: (name) => (name === "bridge" ? testNetwork : undefined), list: () => [] },
      builds,
      buildkit: new BuildKitDesk({ builds, id: "identity" }),
      volumes: {
        find: () => undefined,
        get: (name) => {
          throw volumeError("noSuchVolume", { name });
        },
        list: () => [],
        mountpoint: (name) => `/var/lib/pier/volumes/${name}/data`,
        create: refuse,
        remove: note("removeVolume", Promise.resolve()),
        sizes: refuse,
      },
      host,
      runtimes: new Runtimes({ programs: new Map(), default: ownRuntime }),
      events: this.events,
      log: new Log("debug", (line) => this.logged.push(line)),
      diskPlaces: refuse,
      root: "/var/lib/pier",
      run: "/run/pier",
      id: "identity",
    };
  }
}

export interface Reply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: string;
}

/** A request as any client of HTTP makes it. */
export const ask = (
  { socket }: World,
  method: string,
  path: string,
  body?: string | Buffer,
  headers: Record<string, string> = { "Content-Type": "application/json" },
): Promise<Reply> =>
  new Promise((resolve, reject) => {
    const request = httpRequest({ socketPath: socket, method, path, headers: body === undefined ? {} : headers });
    request.on("error", reject);
    request.on("response", (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      response.on("error", reject);
      response.on("end", () =>
        resolve({
          status: response.statusCode ?? 0,
          headers: response.headers,
          body: Buffer.concat(chunks).toString(),
        }),
      );
    });
    request.end(body);
  });

/** A connection on which a test says what it wants, byte for byte. */
export class Line implements Disposable {
  readonly socket: Socket;
  #received = Buffer.alloc(0);
  #ended = false;
  #wake = (): void => {};

  constructor({ socket }: World) {
    this.socket = connect({ path: socket, allowHalfOpen: true });
    this.socket.on("data", (chunk: Buffer) => {
      this.#received = Buffer.concat([this.#received, chunk]);
      this.#wake();
    });
    const over = (): void => {
      this.#ended = true;
      this.#wake();
    };
    this.socket.on("end", over);
    this.socket.on("close", over);
    this.socket.on("error", over);
  }

  say(text: string | Buffer): this {
    this.socket.write(text);
    return this;
  }

  /** What came up to and with `mark`. */
  async until(mark: string): Promise<string> {
    for (;;) {
      const at = this.#received.indexOf(mark);
      if (at >= 0) {
        const text = this.#received.subarray(0, at + mark.length).toString("latin1");
        this.#received = this.#received.subarray(at + mark.length);
        return text;
      }
      if (this.#ended) throw new Error(`the server ended with ${JSON.stringify(this.#received.toString("latin1"))}`);
      await this.#change();
    }
  }

  /** Everything that still comes, to the server's end. */
  async rest(): Promise<string> {
    while (!this.#ended) await this.#change();
    return this.#received.toString("latin1");
  }

  #change(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }

  [Symbol.dispose](): void {
    this.socket.destroy();
  }
}
