/** A new daemon meets what the last one left: keepers that live, exits that nobody collected, things half done. */
import { existsSync } from "node:fs";
import { mkdir, readdir } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import type { ContainerId, ExecId } from "../base/ids.ts";
import { type ExitReport, Keeper } from "../kernel/keeper.ts";
import { cleanAfter, clearRun, type Live, type LivePaths, readExit } from "./live.ts";
import {
  containerPaths,
  containersDirectory,
  execPaths,
  execsDirectory,
  rootMountpoint,
  runningDirectory,
} from "./paths.ts";
import type { ContainerRecord } from "./record.ts";
import type { ContainerRooms } from "./rooms.ts";
import type { ContainerStore } from "./store.ts";

/** How long a keeper may take to answer (milliseconds): most do in one. One that hangs must not keep the daemon from all others. */
const patience = 1000;

const isSettled = async (work: Promise<void>): Promise<boolean> => {
  const late = new AbortController();
  try {
    return await Promise.race([work.then(() => true), setTimeout(patience, false, { signal: late.signal })]);
  } finally {
    late.abort();
  }
};

export interface Findings {
  /** Its keeper has not answered yet; settles when it has, and all of it is known. */
  late(id: ContainerId, found: Promise<void>): void;
  /** Its keeper lives and it runs. */
  running(record: ContainerRecord, live: Live): Promise<void>;
  /** It ended while no daemon looked. */
  ended(id: ContainerId, report: ExitReport): Promise<void>;
  /** It ran, and neither it nor a word of its end is left. */
  lost(record: ContainerRecord): Promise<void>;
  /** A directory that belongs to no record. */
  rubbish(path: string): Promise<void>;
  /** It was to go at its end and never began, or was about to be removed. */
  forgotten(record: ContainerRecord): Promise<void>;
}

const hasStarted = (keeper: Keeper): Promise<boolean> =>
  keeper.started.then(
    () => true,
    () => false,
  );

const findLive = async (paths: LivePaths): Promise<Live | undefined> => {
  const keeper = await Keeper.connect(paths.control).catch(() => undefined);
  if (keeper === undefined) return undefined;
  const { phase, process } = await keeper.hello();
  if (phase === "running") return { keeper, process, paths };
  // After the end it only serves the last readers.
  if (phase === "exited") keeper.leave();
  // Before its commit point a keeper whose daemon is gone undoes its work, and closes; behind it, the program is about to run.
  else if (await hasStarted(keeper)) return { keeper, process, paths };
  return undefined;
};

const recoverContainer = async (rooms: ContainerRooms, record: ContainerRecord, found: Findings): Promise<void> => {
  const paths = containerPaths(rooms, record.id);
  const live = await findLive(paths);
  if (live !== undefined) return found.running(record, live);
  const report = readExit(paths);
  if (report !== undefined) return found.ended(record.id, report);
  if (existsSync(paths.run)) {
    await cleanAfter(rooms.holder, paths);
    clearRun(paths);
  }
  if (record.state.status === "running") await found.lost(record);
  else if (record.request.autoRemove || record.removing) await found.forgotten(record).catch(() => {});
};

/** An exec session belongs to the daemon that started it: one that still runs is left to its end. */
const recoverExec = async (paths: LivePaths): Promise<void> => {
  const live = await findLive(paths);
  if (live === undefined) clearRun(paths);
  else void live.keeper.closed.then(() => clearRun(paths));
};

export const recover = async (rooms: ContainerRooms, store: ContainerStore, found: Findings): Promise<void> => {
  const places = [
    containersDirectory(rooms.root),
    runningDirectory(rooms.run),
    execsDirectory(rooms.run),
    rootMountpoint(rooms.run),
  ];
  for (const path of places) await mkdir(path, { recursive: true, mode: 0o700 });
  const recovering = store.list().map(async (record) => {
    const work = recoverContainer(rooms, record, found);
    if (!(await isSettled(work))) found.late(record.id, work);
  });
  const execs = await readdir(execsDirectory(rooms.run));
  await Promise.all([...recovering, ...execs.map((id) => isSettled(recoverExec(execPaths(rooms, id as ExecId))))]);
  for (const id of await readdir(runningDirectory(rooms.run))) {
    if (store.has(id)) continue;
    const paths = containerPaths(rooms, id as ContainerId);
    await cleanAfter(rooms.holder, paths);
    clearRun(paths);
  }
  for (const id of await readdir(containersDirectory(rooms.root))) {
    // What the disk does not let go of is tried again by the next daemon: it is in nobody's way.
    if (!store.has(id)) await found.rubbish(join(containersDirectory(rooms.root), id)).catch(() => {});
  }
};
