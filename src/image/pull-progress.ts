/** What a pull or push says while it goes on, in the lines that Docker's clients draw bars from. */
import type { ProgressLine } from "../api/answers/images.ts";
import type { Clock } from "../base/clock.ts";
import { type Digest, hexOf } from "../base/ids.ts";
import type { FetchReport } from "./layer-fetch.ts";

export type Report = (line: ProgressLine) => void;

const intervalMs = 100;

export const shortDigest = (digest: Digest): string => hexOf(digest).slice(0, 12);

/** Not more lines of numbers than anybody can read. */
export const throttled = (clock: Clock): (<T>(show: (value: T) => void) => (value: T) => void) => {
  let next = 0;
  return (show) => (value) => {
    const now = clock.monotonic();
    if (now < next) return;
    next = now + intervalMs;
    show(value);
  };
};

/** How one layer comes along. */
export const fetchReporter = (digest: Digest, report: Report, clock: Clock): FetchReport => {
  const id = shortDigest(digest);
  const line = (status: string): void => report({ status, progressDetail: {}, id });
  const numbers = throttled(clock)((progressDetail: { current: number; total: number }) =>
    report({ status: "Downloading", progressDetail, id }),
  );
  return (stage) => {
    switch (stage.kind) {
      case "waiting":
        return line("Waiting");
      case "downloading":
        return numbers({ current: stage.current, total: stage.total });
      case "storing":
        return line("Download complete");
      case "retrying":
        return line("Retrying");
      case "done":
        return line("Pull complete");
    }
  };
};
