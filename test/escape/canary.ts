/**
 * What an escape would touch or see, planted before a suite and asserted after it: directories that are watched, a
 * secret that only the host has, a marker in the daemon's environment, the host's settings, mounts and programs.
 */
import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import {
  type FSWatcher,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  watch,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";

/** What nothing in a container may change: what the host runs as root, and whom it trusts. */
const hostFiles = [
  "/etc/passwd",
  "/etc/shadow",
  "/etc/group",
  "/etc/hosts",
  "/etc/hostname",
  "/etc/crontab",
  "/etc/sudoers",
  "/etc/ld.so.preload",
  "/bin/sh",
  "/usr/bin/env",
];

/** Settings by which a container would run something on the host, or which are the host's alone. */
const hostSettings = [
  "/proc/sys/kernel/core_pattern",
  "/proc/sys/kernel/modprobe",
  "/proc/sys/kernel/hotplug",
  "/proc/sys/kernel/poweroff_cmd",
  "/proc/sys/kernel/hostname",
  "/proc/sys/kernel/domainname",
  "/proc/sys/kernel/panic",
  "/proc/sys/kernel/sysrq",
  "/proc/sys/kernel/msgmax",
  "/proc/sys/kernel/yama/ptrace_scope",
  "/proc/sys/fs/suid_dumpable",
  "/proc/sys/fs/protected_symlinks",
  "/proc/sys/fs/binfmt_misc/status",
  "/proc/sys/vm/overcommit_memory",
  "/proc/sys/vm/panic_on_oom",
  "/proc/sys/net/ipv4/conf/all/route_localnet",
  "/sys/kernel/uevent_helper",
  "/sys/kernel/mm/transparent_hugepage/enabled",
];

const textOf = (path: string): string => {
  try {
    return readFileSync(path, "latin1");
  } catch {
    return "(none)";
  }
};

const digestOf = (path: string): string => createHash("sha256").update(textOf(path), "latin1").digest("hex");

/** Every name below a directory, with all that can be changed of it. */
const listing = (directory: string): Readonly<Record<string, string>> => {
  const found: Record<string, string> = {};
  for (const name of ["", ...readdirSync(directory, { recursive: true, encoding: "utf8" })]) {
    const path = join(directory, name);
    const status = lstatSync(path);
    const what = status.isSymbolicLink() ? readlinkSync(path) : status.isFile() ? digestOf(path) : "";
    found[name] = `${status.mode.toString(8)} ${status.uid}:${status.gid} ${status.rdev} ${status.mtimeMs} ${what}`;
  }
  return found;
};

/** Mounts that the host has, by place and kind. */
const hostMounts = (): readonly string[] =>
  textOf("/proc/self/mountinfo")
    .split("\n")
    .map((line) => line.split(" "))
    .map((fields) => `${fields[4]} ${fields[fields.indexOf("-") + 1]}`)
    .sort();

interface State {
  readonly planted: Readonly<Record<string, string>>;
  readonly root: readonly string[];
  readonly files: Readonly<Record<string, string>>;
  readonly settings: Readonly<Record<string, string>>;
  readonly mounts: readonly string[];
}

export class Canary implements Disposable {
  readonly directory = mkdtempSync("/tmp/pier-canary-");
  /** Of the host alone: no container may ever say it. */
  readonly secret = randomBytes(16).toString("hex");
  readonly secretFile = join(this.directory, "secret");
  /** What the daemon is started with. */
  readonly environment = { PIER_CANARY: randomBytes(16).toString("hex") };
  /** What attacks aim at; nothing in it ever changes. */
  readonly watched = join(this.directory, "watched");
  readonly #events: string[] = [];
  readonly #watchers: readonly FSWatcher[];
  readonly #before: State;

  constructor() {
    for (const name of ["", "directory", "directory/deeper"]) mkdirSync(join(this.watched, name), { recursive: true });
    writeFileSync(join(this.watched, "file"), "of the host\n", { mode: 0o600 });
    writeFileSync(join(this.watched, "directory", "file"), "of the host\n");
    writeFileSync(this.secretFile, this.secret, { mode: 0o600 });
    // Also sees what is made and taken away again.
    this.#watchers = ["", "directory", "directory/deeper"].map((name) =>
      watch(join(this.watched, name), (event, file) => this.#events.push(`${event} ${join(name, file ?? "")}`)),
    );
    this.#before = this.#state();
  }

  /** Holds afterwards: nothing that was planted or is the host's has changed. */
  assertUntouched(): void {
    assert.deepEqual(this.#events, [], "somebody has been in the watched directories");
    assert.deepEqual(this.#state(), this.#before);
  }

  /** Fails when a container has said what only the host knows. */
  assertUnseen(text: string): void {
    for (const known of [this.secret, this.environment.PIER_CANARY])
      assert.ok(!text.includes(known), `a container knows what only the host should: ${text.slice(0, 500)}`);
  }

  #state(): State {
    const every = (paths: readonly string[]) => Object.fromEntries(paths.map((path) => [path, digestOf(path)]));
    return {
      planted: { ...listing(this.watched), secret: textOf(this.secretFile) },
      root: readdirSync("/").sort(),
      files: every(hostFiles),
      settings: Object.fromEntries(hostSettings.map((path) => [path, textOf(path)])),
      mounts: hostMounts(),
    };
  }

  [Symbol.dispose](): void {
    for (const watcher of this.#watchers) watcher.close();
    rmSync(this.directory, { recursive: true, force: true });
  }
}
