import type { ProgressLine } from "../api/answers/images.ts";
import type { Clock } from "../base/clock.ts";
import type { Progress } from "./archive.ts";

const intervalMs = 100;

/** Turns the bytes of an archive's layers, as they are read, into lines as Docker's clients show them; not more than they can show. */
export const progressReporter = (report: (line: ProgressLine) => void, clock: Clock): Progress => {
  let member = "";
  let current = 0;
  let next = 0;
  return (name, bytes, total) => {
    current = name === member ? current + bytes : bytes;
    const now = clock.monotonic();
    if (name === member && now < next) return;
    member = name;
    next = now + intervalMs;
    report({ id: labelOf(name), status: "Loading layer", progressDetail: { current, total } });
  };
};

/** A blob's short digest; of an older archive's `<id>/layer.tar` the short id. */
const labelOf = (member: string): string => {
  const hex = /[0-9a-f]{64}/.exec(member)?.[0];
  return hex === undefined ? member.slice(0, 32) : hex.slice(0, 12);
};
