/** Moments as lists show them. */
import { formatAge } from "../values/duration.ts";
import { findZoneName } from "./zone.ts";

/** `3 hours ago`; empty for a moment that is not known. */
export const formatAgo = (seconds: number, now = Date.now()): string =>
  seconds <= 0 ? "N/A" : `${formatAge(Math.trunc(now / 1000) - seconds)} ago`;

const two = (value: number): string => String(value).padStart(2, "0");

/** `2026-11-24 01:39:16 +0000 UTC`: as Go writes a moment in the place where we are. */
export const formatMoment = (seconds: number): string => {
  const moment = new Date(seconds * 1000);
  const offset = -moment.getTimezoneOffset();
  const zone = `${offset < 0 ? "-" : "+"}${two(Math.trunc(Math.abs(offset) / 60))}${two(Math.abs(offset) % 60)}`;
  return `${formatDate(moment)} ${formatClock(moment)} ${zone} ${findZoneName(offset) ?? zone}`;
};

const formatDate = (moment: Date): string =>
  `${moment.getFullYear()}-${two(moment.getMonth() + 1)}-${two(moment.getDate())}`;
const formatClock = (moment: Date): string =>
  `${two(moment.getHours())}:${two(moment.getMinutes())}:${two(moment.getSeconds())}`;
