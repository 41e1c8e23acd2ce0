/** Waiting until the machine has nothing to do, so that what one engine leaves behind is not charged to the next. */
import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { setTimeout } from "node:timers/promises";

/** Clock ticks are 10 ms: a shorter look would see only none or all. */
const lookMs = 50;
const patienceMs = 2_000;
/** The share of the processors' time that may be in use by what never rests. */
const busyEnough = 0.25;
const tickMs = 10;

/** Clock ticks since boot in which processors did something (man 5 proc_stat: all but idle and iowait). */
const busyTicks = (): number => {
  const [, , user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0] = readFileSync("/proc/stat", "utf8")
    .slice(0, 256)
    .split("\n", 1)[0]!
    .split(" ")
    .map(Number);
  return user + nice + system + irq + softirq;
};

/** Resolves when the processors rest, or will not within our patience. */
export const idle = async (): Promise<void> => {
  const allowed = (busyEnough * availableParallelism() * lookMs) / tickMs;
  const end = performance.now() + patienceMs;
  for (let before = busyTicks(); performance.now() < end; ) {
    await setTimeout(lookMs);
    const now = busyTicks();
    if (now - before <= allowed) return;
    before = now;
  }
};
