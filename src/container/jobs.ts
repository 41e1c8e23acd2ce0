/**
 * Jobs: programs of a build. A job is a container with the same profile as any other, but nobody's: it has no record, no
 * name and no log, its layers may be what other jobs have written, and what it writes is kept until the build is over. A
 * daemon that finds one takes it away.
 */
import { Duplex } from "node:stream";
import type { Clock } from "../base/clock.ts";
import { type ContainerId, type DiffId, type ImageId, newContainerId } from "../base/ids.ts";
import { FrameDecoder, type StreamName } from "../format/raw-stream.ts";
import { emptyConfig } from "../image/config.ts";
import { runErrand } from "../kernel/errand.ts";
import { errnos } from "../kernel/numbers/errno.ts";
import { signals } from "../kernel/numbers/signals.ts";
import type { Plan, Step } from "../kernel/steps.ts";
import type { Connections } from "./connect.ts";
import type { Launcher, LaunchImage } from "./launch.ts";
import { cleanAfter, clearRun, endOf, type Live, prepareLive, startFailure, writeSpec } from "./live.ts";
import { containerPaths } from "./paths.ts";
import type { ContainerRecord } from "./record.ts";
import type { CreateRequest } from "./request.ts";
import { fitToHost, type Processors } from "./request-host.ts";
import type { ContainerRooms } from "./rooms.ts";
import { commandOf } from "./spec.ts";
import { exitCodeOf } from "./state.ts";

export interface JobRequest {
  /** The whole of it: no image adds anything. */
  readonly request: CreateRequest;
  /** Stored, the lowest first. */
  readonly layers: readonly DiffId[];
  /** Directories of earlier jobs over them, the lowest first. */
  readonly uppers: readonly string[];
  readonly output: (stream: StreamName, data: Uint8Array) => void;
  readonly signal: AbortSignal;
}

export interface JobResult {
  readonly exitCode: number;
  /** What it wrote: nobody changes it any more; gone after `remove`. */
  readonly upper: string;
  readonly id: ContainerId;
}

interface JobContext {
  readonly rooms: ContainerRooms;
  readonly launcher: Launcher;
  readonly connections: Connections;
  readonly processors: Processors;
}

/** Nobody's image: its layers are the job's. */
const imageOf = (layers: readonly DiffId[]): LaunchImage => ({ id: "" as ImageId, config: emptyConfig, layers });

const recordOf = (request: CreateRequest, clock: Clock): ContainerRecord => ({
  id: newContainerId(),
  name: "",
  created: clock.now(),
  request,
  image: { id: "" as ImageId, reference: "" },
  command: commandOf(request),
  endpoints: [],
  state: { status: "created" },
  restarts: 0,
});

export class Jobs {
  readonly #context: JobContext;

  constructor(context: JobContext) {
    this.#context = context;
  }

  /** Holds afterwards: the program has ended, and nothing runs of it; throws why it could not begin. */
  async run({ request: asked, layers, uppers, output, signal }: JobRequest): Promise<JobResult> {
    const { rooms, launcher, processors } = this.#context;
    signal.throwIfAborted();
    const { request } = fitToHost(asked, rooms.host, processors);
    const record = recordOf(request, rooms.clock);
    const paths = containerPaths(rooms, record.id);
    let plan: Plan = { outside: [], inside: [], after: [] };
    const client = new Listener(output);
    try {
      await rooms.holder.wake();
      await launcher.parents.join(record);
      const live = await this.#context.connections.start(record, {
        plan: () => plan,
        run: async (endpoints) => {
          const image = imageOf(layers);
          const [prepared] = await Promise.all([
            launcher.prepare({ record, image, endpoints, volumes: new Map(), job: { uppers: uppers.toReversed() } }),
            launcher.mountLayers(image),
          ]);
          plan = prepared.plan;
          writeSpec(paths, prepared.spec);
          const attachment = {
            client,
            request: { stdin: false, stdout: true, stderr: true },
            tty: false,
            joined: () => {},
          };
          return prepareLive(rooms.standby, paths, plan, [attachment]);
        },
      });
      const exitCode = await this.#follow(live, signal);
      await client.ended;
      return { exitCode, upper: paths.upper, id: record.id };
    } catch (error) {
      await cleanAfter(rooms.holder, paths).catch(() => {});
      await this.remove([record.id]).catch(() => {});
      throw startFailure(error, plan, record.command[0] ?? "", paths).error;
    } finally {
      client.destroy();
      await this.#context.connections.disconnect(record.id);
      await launcher.parents.leave(record.id);
      clearRun(paths);
    }
  }

  /** Holds afterwards: nothing that these jobs have written is left. */
  async remove(ids: readonly ContainerId[]): Promise<void> {
    if (ids.length === 0) return;
    const { rooms } = this.#context;
    const outside = ids.map((id): Step => {
      const path = containerPaths(rooms, id).directory;
      return { step: "removeTree", path, tolerate: [errnos.ENOENT.number] };
    });
    await runErrand(rooms.holder, rooms.run, { outside, inside: [], after: [] });
  }

  async #follow(live: Live, signal: AbortSignal): Promise<number> {
    const { keeper, paths } = live;
    const kill = (): void => void keeper.signal(signals.KILL);
    signal.addEventListener("abort", kill);
    try {
      await keeper.start();
      if (signal.aborted) kill();
      const report = await endOf(live);
      if (report.left > 0) await cleanAfter(this.#context.rooms.holder, paths);
      signal.throwIfAborted();
      return exitCodeOf(report.status);
    } finally {
      signal.removeEventListener("abort", kill);
    }
  }
}

/** The end of a job's stream at which its output is passed on, frame by frame; there is no input. */
class Listener extends Duplex {
  readonly #decoder = new FrameDecoder();
  readonly #output: JobRequest["output"];
  /** Settles when all output has been passed on. */
  readonly ended: Promise<void>;

  constructor(output: JobRequest["output"]) {
    super({ allowHalfOpen: true });
    this.#output = output;
    this.push(null);
    this.ended = new Promise((resolve) => this.once("close", resolve));
  }

  override _read(): void {}

  override _write(chunk: Uint8Array, _encoding: string, done: () => void): void {
    for (const { stream, data } of this.#decoder.push(chunk)) this.#output(stream, data);
    done();
  }
}
