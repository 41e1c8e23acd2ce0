/** Progress at a terminal: a line for each layer with its bytes, speed and time left, and one for all together. */
import { writeSync } from "node:fs";
import type { ProgressLine } from "../../api/answers/images.ts";
import { harmless } from "../streams/output.ts";
import { formatSize } from "../values/bytes.ts";

interface Item {
  readonly id: string;
  status: string;
  current: number;
  total: number;
  /** When its first bytes came, and how many there were already. */
  since: number;
  first: number;
}

const barWidth = 24;
const least = { columns: 40, rows: 6 };
const redrawMs = 80;

export class ProgressScreen implements Disposable {
  readonly #fd: 1 | 2;
  readonly #size: () => readonly [columns: number, rows: number];
  readonly #now: () => number;
  readonly #write: (text: string) => void;
  readonly #items = new Map<string, Item>();
  #drawn = 0;
  #last = 0;

  constructor(fd: 1 | 2, now = () => performance.now(), write?: (text: string) => void) {
    this.#fd = fd;
    this.#now = now;
    this.#write = write ?? ((text) => void writeSync(this.#fd, text));
    this.#size = () => {
      const tty = process.getBuiltinModule("node:tty");
      if (!tty.isatty(fd)) return [80, 24];
      return new tty.WriteStream(fd).getWindowSize();
    };
  }

  show({ id = "", status = "", stream, progressDetail }: ProgressLine): void {
    const hasBar = id !== "" && progressDetail !== undefined;
    if (!hasBar) {
      this.#say(stream ?? `${id === "" ? "" : `${id}: `}${status}\n`);
      return;
    }
    const { current = 0, total = 0 } = progressDetail;
    const item = this.#items.get(id) ?? { id, status, current, total, since: this.#now(), first: current };
    if (item.status !== status) [item.since, item.first] = [this.#now(), current];
    item.status = status;
    // What is done keeps its number for the sum.
    item.current = current > 0 ? current : isOver(status) ? item.total : item.current;
    item.total = Math.max(item.total, total);
    this.#items.set(id, item);
    this.#draw(isOver(status));
  }

  [Symbol.dispose](): void {
    this.#draw(true);
  }

  /** A line of its own, above those that move. */
  #say(text: string): void {
    this.#write(`${this.#up()}${harmless(text).trimEnd()}\x1b[K\n`);
    this.#drawn = 0;
    this.#draw(true);
  }

  #up(): string {
    return this.#drawn === 0 ? "" : `\x1b[${this.#drawn}A\r`;
  }

  #draw(now: boolean): void {
    const time = this.#now();
    if (this.#items.size === 0 || (!now && time - this.#last < redrawMs)) return;
    this.#last = time;
    const [columns, rows] = this.#size();
    const width = Math.max(columns, least.columns) - 1;
    const room = Math.max(rows, least.rows) - 3;
    const items = [...this.#items.values()];
    const shown = items
      .filter(({ status }) => !isOver(status))
      .concat(items.filter(({ status }) => isOver(status)))
      .slice(0, room);
    const order = items.filter((item) => shown.includes(item));
    const lines = [...order.map((item) => lineOf(item, time)), ...(items.length > 1 ? [sumOf(items, time)] : [])];
    const text = lines.map((line) => `${harmless(line).slice(0, width)}\x1b[K\n`).join("");
    const left = Math.max(this.#drawn - lines.length, 0);
    this.#write(this.#up() + text + "\x1b[K\n".repeat(left) + (left > 0 ? `\x1b[${left}A` : ""));
    this.#drawn = lines.length;
  }
}

/** What has only come is not unpacked yet. */
const isOver = (status: string): boolean => /pull complete|exists|pushed|mounted|skipped/i.test(status);

const lineOf = (item: Item, now: number): string => {
  const { id, status, current, total } = item;
  const name = `${id}: ${status}`;
  if (total === 0 || current === 0 || isOver(status))
    return total > 0 ? `${name.padEnd(34)} ${formatSize(total)}` : name;
  return `${name.padEnd(34)} ${bar(current / total)} ${amounts(current, total)}${pace(item, now)}`;
};

const sumOf = (items: readonly Item[], now: number): string => {
  const sum = (read: (item: Item) => number): number => items.reduce((all, item) => all + read(item), 0);
  const done = items.filter(({ status }) => isOver(status)).length;
  const [current, total] = [sum((item) => Math.min(item.current, item.total)), sum((item) => item.total)];
  const since = Math.min(...items.map((item) => item.since));
  const name = `all: ${done} of ${items.length} layers`;
  if (total === 0) return name;
  const first = sum((item) => item.first);
  return `${name.padEnd(34)} ${bar(current / total)} ${amounts(current, total)}${pace({ current, total, since, first }, now)}`;
};

const bar = (part: number): string => {
  const full = Math.floor(Math.min(part, 1) * barWidth);
  return `[${"=".repeat(full)}${full < barWidth ? ">" : ""}${" ".repeat(Math.max(barWidth - full - 1, 0))}]`;
};

const amounts = (current: number, total: number): string => `${formatSize(current)}/${formatSize(total)}`;

const pace = ({ current, total, since, first }: Omit<Item, "id" | "status">, now: number): string => {
  const seconds = (now - since) / 1000;
  const speed = (current - first) / seconds;
  if (seconds < 0.3 || !(speed > 0) || current >= total) return "";
  return ` ${formatSize(speed)}/s ${formatLeft((total - current) / speed)}`;
};

const formatLeft = (seconds: number): string => {
  const whole = Math.ceil(seconds);
  if (whole < 60) return `${whole}s`;
  if (whole < 3600) return `${Math.floor(whole / 60)}m${whole % 60}s`;
  return `${Math.floor(whole / 3600)}h${Math.floor((whole % 3600) / 60)}m`;
};
