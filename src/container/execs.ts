/** Exec sessions: further processes in running containers, each with a keeper of its own. */
import type { Duplex } from "node:stream";
import { type ContainerId, type ExecId, newExecId } from "../base/ids.ts";
import { planCgroup } from "../kernel/cgroup/plan.ts";
import { runErrand } from "../kernel/errand.ts";
import { startTimeOf } from "../kernel/holder.ts";
import type { ProcessMark } from "../kernel/keeper.ts";
import { signals } from "../kernel/numbers/signals.ts";
import type { Plan } from "../kernel/steps.ts";
import { containerError } from "./errors.ts";
import type { ContainerEvents } from "./events.ts";
import { type ExecPlace, planExec, planExecProcess, planKill, planUserFiles } from "./exec-plan.ts";
import { startCodes } from "./failure.ts";
import { compiledFilter } from "./launch.ts";
import { type Attachment, clearRun, endOf, type Live, prepareLive, startFailure } from "./live.ts";
import type { OciSpec } from "./oci/spec.ts";
import { bundlePath, execPaths } from "./paths.ts";
import type { ContainerRecord } from "./record.ts";
import type { ExecRequest } from "./request.ts";
import type { ContainerRooms } from "./rooms.ts";
import { planExecByRuntime } from "./runtime-exec.ts";
import { leftProcess, runtimePlace } from "./runtime-place.ts";
import { type ExecState, exitCodeOf } from "./state.ts";
import { resolveUser, type User } from "./users.ts";

export interface ExecRecord {
  readonly id: ExecId;
  readonly container: ContainerId;
  readonly request: ExecRequest;
  readonly state: ExecState;
}

/** The container of a session, as it runs. */
export interface ExecTarget {
  readonly record: ContainerRecord;
  readonly process: ProcessMark;
  readonly spec: OciSpec;
}

export interface ExecStart {
  readonly detach: boolean;
  readonly tty: boolean;
  readonly rows?: number | undefined;
  readonly columns?: number | undefined;
}

/** How long one can be asked how it ended (milliseconds), at the least: as in Docker, which looks every five minutes. */
const keptFor = 300_000;

export class Execs {
  readonly #rooms: ContainerRooms;
  readonly #events: ContainerEvents;
  readonly #records = new Map<ExecId, ExecRecord>();
  readonly #live = new Map<ExecId, Live>();
  /** In the order of their ends, with the times. */
  readonly #ended: { readonly id: ExecId; readonly at: number }[] = [];
  /** Those that are to be killed as soon as they run. */
  readonly #doomed = new Set<ExecId>();

  constructor(rooms: ContainerRooms, events: ContainerEvents) {
    this.#rooms = rooms;
    this.#events = events;
  }

  get(id: string): ExecRecord {
    const record = this.#records.get(id as ExecId);
    if (record === undefined) throw containerError("noSuchExec", { id });
    return record;
  }

  /** Those that have not ended. */
  of(container: ContainerId): readonly ExecId[] {
    const all = [...this.#records.values()].filter((record) => record.container === container);
    return all.filter(({ state }) => state.status !== "exited").map(({ id }) => id);
  }

  create(container: ContainerRecord, request: ExecRequest): ExecId {
    this.#forgetOld();
    const id = newExecId();
    this.#records.set(id, { id, container: container.id, request, state: { status: "created" } });
    this.#events.emit(`exec_create: ${wordsOf(request)}`, container, { execID: id });
    return id;
  }

  /** Its container had ended before it could start. */
  refuse(id: ExecId): void {
    const record = this.#records.get(id);
    if (record?.state.status !== "created") return;
    this.#end(record, startCodes.notExecutable);
  }

  /** What is asked for at once after an end is how it ended, and later nothing. */
  #end(record: ExecRecord, exitCode: number): void {
    if (!this.#records.has(record.id)) return;
    this.#records.set(record.id, { ...record, state: { status: "exited", exitCode } });
    this.#ended.push({ id: record.id, at: this.#rooms.clock.monotonic() });
  }

  #forgetOld(): void {
    const since = this.#rooms.clock.monotonic() - keptFor;
    const young = this.#ended.findIndex(({ at }) => at > since);
    for (const { id } of this.#ended.splice(0, young < 0 ? this.#ended.length : young)) this.drop(id);
  }

  /** The program of a session that runs is killed; the session ends by itself. */
  kill(id: ExecId): void {
    const live = this.#live.get(id);
    if (live === undefined) this.#doomed.add(id);
    else void live.keeper.signal(signals.KILL);
  }

  /** The exit code, once the session's process has ended. */
  async exitCode(id: ExecId): Promise<number> {
    await this.#live.get(id)?.keeper.exited.catch(() => {});
    const { state } = this.get(id);
    return state.status === "exited" ? state.exitCode : startCodes.failed;
  }

  /** Nobody will ask for it again. */
  drop(id: ExecId): void {
    this.#records.delete(id);
    this.#doomed.delete(id);
  }

  /** The container is gone, and with it what was run in it. */
  forget(container: ContainerId): void {
    for (const [id, record] of this.#records) if (record.container === container) this.drop(id);
  }

  /** Resolves when the session is over, or has begun if it is detached. */
  async start(id: ExecId, options: ExecStart, target: ExecTarget, client: Duplex | undefined): Promise<void> {
    const record = this.get(id);
    if (record.state.status !== "created") throw containerError("execStarted", { id });
    this.#records.set(id, { ...record, state: { status: "running", pid: 0 } });
    // Told before it is known whether it can be done, as in Docker.
    this.#events.emit(`exec_start: ${wordsOf(record.request)}`, target.record, { execID: id });
    const paths = execPaths(this.#rooms, id);
    const request = withSize({ ...record.request, tty: options.tty || record.request.tty }, options);
    let plan: Plan = { outside: [], inside: [], after: [] };
    const { promise: over, resolve: joined } = Promise.withResolvers<boolean>();
    try {
      plan = await this.#plan(request, options, target, paths);
      const attachments: Attachment[] =
        client === undefined || options.detach ? [] : [{ client, request, tty: request.tty, joined }];
      const live = await prepareLive(this.#rooms.standby, paths, plan, attachments);
      await live.keeper.start();
      const byRuntime = target.record.request.runtime !== undefined;
      const process = byRuntime ? leftProcess(bundlePath(paths), live.process) : live.process;
      this.#started(id, { ...live, process }, target.record);
    } catch (error) {
      const failure = startFailure(error, plan, request.args[0]!, paths);
      // 126 for whatever it was, as in Docker, but for a program that is not there.
      const exitCode = failure.exitCode === startCodes.notFound ? startCodes.notFound : startCodes.notExecutable;
      this.#end(record, exitCode);
      clearRun(paths);
      if (!isAlive(target.process)) throw containerError("execNotRunning", { id: target.record.id }, error);
      throw failure.error;
    }
    if (!options.detach && client !== undefined && (await over))
      this.#events.emit("exec_detach", target.record, { execID: id });
  }

  async resize(id: string, rows: number, columns: number): Promise<void> {
    const live = this.#live.get(this.get(id).id);
    if (live === undefined || (await live.keeper.resize(rows, columns)) !== 0)
      throw containerError("noTerminal", { id });
  }

  async #plan(
    request: ExecRequest,
    options: ExecStart,
    target: ExecTarget,
    paths: ReturnType<typeof execPaths>,
  ): Promise<Plan> {
    const { workingDirectory = "/" } = request;
    if (!workingDirectory.startsWith("/")) throw containerError("relativeDirectory", { path: workingDirectory });
    const process = planExecProcess(target.spec, request, await this.#user(request, target), this.#rooms.host);
    const { linux } = target.spec;
    const quiet = options.detach || !(request.stdin || request.stdout || request.stderr);
    const place: ExecPlace = {
      container: target.record.id,
      controlPath: paths.control,
      exitPath: paths.exit,
      target: target.process,
      cgroup: planCgroup(this.#rooms.host.cgroup, linux.cgroupsPath, linux.resources),
      seccomp: compiledFilter(linux.seccomp, process.capabilities.bounding, this.#rooms.host),
      stdio: request.tty ? "terminal" : quiet ? "null" : "pipes",
      stdin: request.stdin ? "once" : "none",
    };
    const runtime = runtimePlace(this.#rooms, target.record, target.spec);
    if (runtime === undefined) return planExec(process, place);
    return planExecByRuntime(process, place, { ...runtime, bundle: bundlePath(paths) });
  }

  /** Without a user of its own the session runs as the container does; else the container's files say who that is. */
  async #user(request: ExecRequest, target: ExecTarget): Promise<User> {
    const { uid, gid, additionalGids } = target.spec.process.user;
    if (request.user === undefined) return { uid, gid, groups: additionalGids, home: "", name: "" };
    const keeper = await runErrand(this.#rooms.holder, this.#rooms.run, planUserFiles(target.process));
    const [passwd, group] = [keeper.bytes(0), keeper.bytes(1)];
    return resolveUser(request.user, { passwd, group }, target.record.request.groups);
  }

  /** Holds afterwards: it does not outlive its keeper, though it is a set-uid program, which has lost its tie to it. */
  async #kill(process: ProcessMark): Promise<void> {
    await this.#rooms.holder.wake();
    // Most are gone already.
    await runErrand(this.#rooms.holder, this.#rooms.run, planKill(process)).catch(() => {});
  }

  #started(id: ExecId, live: Live, container: ContainerRecord): void {
    const record = this.get(id);
    this.#live.set(id, live);
    this.#records.set(id, { ...record, state: { status: "running", pid: live.process.pid } });
    const ended = (exitCode: number): void => {
      this.#live.delete(id);
      this.#end(record, exitCode);
      this.#events.emit("exec_die", container, { execID: id, exitCode: String(exitCode) });
      clearRun(live.paths);
    };
    if (this.#doomed.has(id)) this.kill(id);
    endOf(live).then(
      ({ status }) => ended(exitCodeOf(status)),
      () => {
        void this.#kill(live.process);
        ended(137);
      },
    );
  }
}

/** Whatever fails when the container ends meanwhile, that is why. */
const isAlive = ({ pid, startTime }: ProcessMark): boolean => startTimeOf(pid) === startTime;

/** The program, a blank, its arguments: without any the blank stays, as in Docker. */
const wordsOf = ({ args: [program, ...rest] }: ExecRequest): string => `${program} ${rest.join(" ")}`;

const withSize = (request: ExecRequest, { rows, columns }: ExecStart): ExecRequest =>
  rows === undefined || columns === undefined ? request : { ...request, consoleSize: { rows, columns } };
