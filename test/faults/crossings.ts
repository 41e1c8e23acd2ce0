/**
 * Loaded before a daemon: counts everything that it does to the world or hears from it, and kills it right before the one
 * that the file PIER_CROSSINGS names by its number. Between two of these nothing changes that a successor could find.
 */
import { createRequire } from "node:module";
import { Socket } from "node:net";
import { DatabaseSync } from "node:sqlite";

type Call = (...args: unknown[]) => unknown;
type Room = Record<string, Call>;

const require = createRequire(import.meta.url);
// What these objects hold when they are first imported is what everybody imports.
const fs: Room = require("node:fs");
const { readFileSync, writeFileSync } = { ...fs } as unknown as typeof import("node:fs");

const file = process.env.PIER_CROSSINGS ?? "";
let asked = "";
let crossed = 0;

/** "NUMBER TURN"; empty when nobody has asked. */
const readAsked = (): string => {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return "";
  }
};

const cross = (door: string): void => {
  const now = readAsked();
  if (now !== asked) crossed = 0;
  asked = now;
  if (now === "" || ++crossed !== Number(now.split(" ")[0])) return;
  writeFileSync(`${file}.hit`, door);
  process.kill(process.pid, "SIGKILL");
};

const watch = (room: Room, names: readonly string[], of: string): void => {
  for (const name of names) {
    const call = room[name];
    if (call === undefined) continue;
    room[name] = function (this: unknown, ...args: unknown[]): unknown {
      cross(`${of}.${name} ${typeof args[0] === "string" ? args[0] : ""}`);
      return call.apply(this, args);
    };
  }
};

const changes = [
  "appendFile",
  "chmod",
  "link",
  "mkdir",
  "rename",
  "rm",
  "rmdir",
  "symlink",
  "truncate",
  "unlink",
  "writeFile",
];
watch(fs, ["writeSync", ...changes.map((name) => `${name}Sync`)], "fs");
watch(require("node:fs/promises"), changes, "fs");
watch(require("node:child_process"), ["spawn"], "process");

/** Opened files share a prototype that is met with the first of them. */
const promises: Room = require("node:fs/promises");
const { open } = promises;
const known = new WeakSet<object>();
promises.open = async (...args: unknown[]): Promise<unknown> => {
  if (args[1] !== undefined && args[1] !== "r") cross(`fs.open ${String(args[0])}`);
  const handle = (await open?.(...args)) as object;
  const prototype = Object.getPrototypeOf(handle) as Room;
  if (!known.has(prototype)) watch(prototype, ["write", "writev", "writeFile", "sync", "datasync"], "file");
  known.add(prototype);
  return handle;
};

const database = DatabaseSync.prototype as unknown as Room;
const { prepare } = database;
const prepared = new WeakSet<object>();
watch(database, ["exec"], "database");
database.prepare = function (this: unknown, ...args: unknown[]): unknown {
  const statement = prepare?.apply(this, args) as object;
  const prototype = Object.getPrototypeOf(statement) as Room;
  if (!prepared.has(prototype)) watch(prototype, ["run"], "database");
  prepared.add(prototype);
  return statement;
};

// What keepers are told, and what they say.
const socket = Socket.prototype as unknown as Room;
watch(socket, ["write"], "socket");
const { emit } = socket;
socket.emit = function (this: unknown, ...args: unknown[]): unknown {
  if (args[0] === "data" || args[0] === "close") cross(`socket.${String(args[0])}`);
  return emit?.apply(this, args);
};
