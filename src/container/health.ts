/** A container's health, and what the result of a probe makes of it (moby, daemon/health.go). Pure. */
import type { CreateRequest, HealthcheckRequest } from "./request.ts";

export interface ProbeResult {
  /** Milliseconds since 1970. */
  readonly start: number;
  readonly end: number;
  /** 0: healthy; -1: it could not be run, or took too long. */
  readonly exitCode: number;
  readonly output: string;
}

export interface Health {
  readonly status: "starting" | "healthy" | "unhealthy";
  readonly failingStreak: number;
  /** The last of them, the youngest at the end. */
  readonly log: readonly ProbeResult[];
}

/** A check as it is run; milliseconds. */
export interface Check {
  readonly args: readonly string[];
  readonly interval: number;
  readonly timeout: number;
  readonly startPeriod: number;
  readonly startInterval: number;
  readonly retries: number;
}

const defaults = { interval: 30_000, timeout: 30_000, startInterval: 5_000, retries: 3 } as const;
const keptResults = 5;

/** What `NONE`, an empty test and an unknown word mean: nobody asks how the container is. */
export const planCheck = ({ healthcheck, shell }: Pick<CreateRequest, "healthcheck" | "shell">): Check | undefined => {
  const args = healthcheck === undefined ? [] : commandOf(healthcheck, shell);
  if (healthcheck === undefined || args.length === 0) return undefined;
  const milliseconds = (nanoseconds: number, usual: number) => (nanoseconds > 0 ? nanoseconds / 1e6 : usual);
  return {
    args,
    interval: milliseconds(healthcheck.interval, defaults.interval),
    timeout: milliseconds(healthcheck.timeout, defaults.timeout),
    startPeriod: milliseconds(healthcheck.startPeriod, 0),
    startInterval: milliseconds(healthcheck.startInterval, defaults.startInterval),
    retries: healthcheck.retries > 0 ? healthcheck.retries : defaults.retries,
  };
};

const commandOf = ({ test: [kind, ...rest] }: HealthcheckRequest, shell: readonly string[]): readonly string[] => {
  if (kind === "CMD") return rest;
  if (kind === "CMD-SHELL") return [...(shell.length > 0 ? shell : ["/bin/sh", "-c"]), ...rest];
  return [];
};

/** As it is at a start; results of an earlier run stay to be read. */
export const startingHealth = (before: Health | undefined): Health => ({
  status: "starting",
  failingStreak: 0,
  log: before?.log ?? [],
});

/** Nobody is healthy who does not run: Docker's word for it. */
export const endedHealth = (health: Health): Health => ({ ...health, status: "unhealthy" });

/** Until it has been well once, failures within the start period count for nothing. `age` is the run's at the probe's start. */
export const healthAfter = (health: Health, check: Check, result: ProbeResult, age: number): Health => {
  const log = [...health.log, result].slice(-keptResults);
  if (result.exitCode === 0) return { status: "healthy", failingStreak: 0, log };
  if (health.status === "starting" && age < check.startPeriod) return { ...health, log };
  const failingStreak = health.failingStreak + 1;
  return { status: failingStreak >= check.retries ? "unhealthy" : health.status, failingStreak, log };
};

/** Milliseconds from the end of a probe, or from the start of the container, to the next one. */
export const probeWait = ({ status }: Health, check: Check, age: number): number =>
  status === "starting" && age < check.startPeriod ? check.startInterval : check.interval;
