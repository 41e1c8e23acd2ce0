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
    const asked = record.request.resources.cgroupParent;
    if (asked === "") return this.#keepUsual();
    await this.#lock.run("", async () => {
      const groups = await this.#groupsOf(asked);
      const missing = groups.filter((path) => !existsSync(path));
      this.#users.set(record.id, groups);
      if (missing.length === 0) return;
      for (const path of missing) this.#made.add(path);
      await this.#write();
      await this.#make(asked);
    });
  }

  /** A container that runs already, as a new daemon finds it. */
  async adopt(record: ContainerRecord): Promise<void> {
    const asked = record.request.resources.cgroupParent;
    if (asked !== "") this.#users.set(record.id, await this.#groupsOf(asked));
  }

  /** Holds afterwards: what was made for the container, and nobody else is in, is gone. */
  async leave(id: ContainerId): Promise<void> {
    if (!this.#users.delete(id)) return;
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
    await this.#remove((await this.#groupsOf(this.usual)).filter(isEmpty));
  }

  /** Every group down to the parent, the uppermost first. */
  async #groupsOf(parent: string): Promise<readonly string[]> {
    return (await this.#plan(parent)).flatMap((step) => (step.step === "makeDirectory" ? [step.path] : []));
  }

  /** Most likely there; but anybody may take away one that is empty. */
  async #keepUsual(): Promise<void> {
    const { directories } = cgroupPaths(this.#rooms.host.cgroup, this.usual);
    if (!directories.every((path) => existsSync(path))) await this.#make(this.usual);
  }

  async #plan(parent: string): Promise<readonly Step[]> {
    const { cgroup } = this.#rooms.host;
    return planCgroupParent(cgroup, parent, await findParentFacts(cgroup, parent));
  }

  async #make(parent: string): Promise<void> {
    await this.#run(await this.#plan(parent));
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

/** Neither groups nor processes are in it. */
const isEmpty = (group: string): boolean => {
  try {
    if (readdirSync(group, { withFileTypes: true }).some((entry) => entry.isDirectory())) return false;
    return readFileSync(join(group, "cgroup.procs"), "utf8") === "";
  } catch {
    return false;
  }
};
