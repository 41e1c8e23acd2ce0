/** The groups above containers' own: the daemon's, and those that containers ask for, which go with the last of them. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { ContainerId } from "../base/ids.ts";
import { Locks } from "../base/lock.ts";
import { findParentFacts, planCgroupParent } from "../kernel/cgroup/parent.ts";
import { cgroupPaths } from "../kernel/cgroup/paths.ts";
import { runErrand } from "../kernel/errand.ts";
import { errnos } from "../kernel/numbers/errno.ts";
import type { Step } from "../kernel/steps.ts";
import type { ContainerRecord } from "./record.ts";
import type { ContainerRooms } from "./rooms.ts";

const { EBUSY, ENOENT } = errnos;

export class Parents {
  readonly #rooms: ContainerRooms;
  /** The daemon's own. */
  readonly usual: string;
  /** Names what we made; what is not in it was there before and stays: somebody may have given it limits. */
  readonly #file: string;
  readonly #made: Set<string>;
  readonly #users = new Map<ContainerId, readonly string[]>();
  readonly #lock = new Locks();

  private constructor(rooms: ContainerRooms, usual: string, file: string, made: readonly string[]) {
    this.#rooms = rooms;
    this.usual = usual;
    this.#file = file;
    this.#made = new Set(made);
  }

  /** The daemon's own is there afterwards. */
  static async open(rooms: ContainerRooms, usual: string): Promise<Parents> {
    const file = join(rooms.run, "groups");
    const made = (await readFile(file, "utf8").catch(() => "")).split("\n").filter((line) => line !== "");
    const parents = new Parents(rooms, usual, file, made);
    await parents.#make(usual);
    return parents;
  }

  /** Holds afterwards, until the container leaves: its group can be made beneath the parent that it asks for. */
  async join(record: ContainerRecord): Promise<void> {
    if (record.request.resources.cgroupParent === "") await this.#keepUsual();
    if (!isSpecial(record)) return;
    await this.#lock.run("", async () => {
      const groups = await this.#groupsFor(record);
      const missing = groups.filter((path) => !existsSync(path));
      this.#users.set(record.id, groups);
      if (missing.length === 0) return;
      for (const path of missing) this.#made.add(path);
      await this.#write();
      await this.#make(this.#parentOf(record), hasRuntime(record));
    });
  }

  /** A container that runs already, as a new daemon finds it. */
  async adopt(record: ContainerRecord): Promise<void> {
    if (isSpecial(record)) this.#users.set(record.id, await this.#groupsFor(record));
  }

  /** Holds afterwards: what was made for the container, and nobody else is in, is gone. */
  async leave(id: ContainerId): Promise<void> {
    if (this.#users.delete(id)) await this.tidy();
  }

  /** Holds afterwards: what was made for containers, and nobody is in or will be, is gone. */
  async tidy(): Promise<void> {
    if (this.#made.size === 0) return;
    await this.#lock.run("", async () => {
      const used = new Set([...this.#users.values()].flat());
      // The deepest of a hierarchy first.
      for (const path of [...this.#made].filter((group) => !used.has(group)).toReversed()) {
        if (isEmpty(path)) await this.#remove([path]);
        if (!existsSync(path)) this.#made.delete(path);
      }
      await this.#write();
    });
  }

  /** Holds afterwards: the daemon's own is gone, unless an administrator has put something in there. */
  async close(): Promise<void> {
    await this.#remove((await this.#groupsOf(this.usual, false)).filter(isEmpty));
  }

  #parentOf({ request }: ContainerRecord): string {
    return request.resources.cgroupParent || this.usual;
  }

  /** Those that are there for it and its like alone. */
  async #groupsFor(record: ContainerRecord): Promise<readonly string[]> {
    const groups = await this.#groupsOf(this.#parentOf(record), hasRuntime(record));
    const usual = record.request.resources.cgroupParent === "" ? await this.#groupsOf(this.usual, false) : [];
    return groups.filter((path) => !usual.includes(path));
  }

  /** Every group down to the parent, the uppermost first. */
  async #groupsOf(parent: string, everywhere: boolean): Promise<readonly string[]> {
    return (await this.#plan(parent, everywhere)).flatMap((step) => (step.step === "makeDirectory" ? [step.path] : []));
  }

  /** Most likely there; but anybody may take away one that is empty. */
  async #keepUsual(): Promise<void> {
    const { directories } = cgroupPaths(this.#rooms.host.cgroup, this.usual);
    if (!directories.every((path) => existsSync(path))) await this.#make(this.usual);
  }

  async #plan(parent: string, everywhere: boolean): Promise<readonly Step[]> {
    const { cgroup } = this.#rooms.host;
    return planCgroupParent(cgroup, parent, await findParentFacts(cgroup, parent), everywhere);
  }

  async #make(parent: string, everywhere = false): Promise<void> {
    await this.#run(await this.#plan(parent, everywhere));
  }

  async #remove(paths: readonly string[]): Promise<void> {
    const tolerate = [ENOENT.number, EBUSY.number];
    await this.#run(paths.map((path): Step => ({ step: "removeDirectory", path, tolerate })));
  }

  async #run(outside: readonly Step[]): Promise<void> {
    if (outside.length > 0) await runErrand(this.#rooms.holder, this.#rooms.run, { outside, inside: [], after: [] });
  }

  async #write(): Promise<void> {
    await writeFile(this.#file, [...this.#made].map((path) => `${path}\n`).join(""), { mode: 0o600 });
  }
}

/** The daemon's own groups are not all that it needs. */
const isSpecial = (record: ContainerRecord): boolean =>
  record.request.resources.cgroupParent !== "" || hasRuntime(record);

/** Another runtime has groups in hierarchies that we leave alone. */
const hasRuntime = ({ request }: ContainerRecord): boolean => request.runtime !== undefined;

/** Neither groups nor processes are in it. */
const isEmpty = (group: string): boolean => {
  try {
    if (readdirSync(group, { withFileTypes: true }).some((entry) => entry.isDirectory())) return false;
    return readFileSync(join(group, "cgroup.procs"), "utf8") === "";
  } catch {
    return false;
  }
};
