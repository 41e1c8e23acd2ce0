/** `--since` and `--until`: moments, or how long ago. */
import { PierError } from "../../base/errors.ts";
import { cliError } from "../errors.ts";
import { parseDuration } from "./duration.ts";
import { quote } from "./quote.ts";

const pattern = /^(\d{4})-(\d\d)-(\d\d)(?:T(\d\d)(?::(\d\d)(?::(\d\d)(?:\.(\d{1,9}))?)?)?)?(Z|[+-]\d\d:\d\d)?$/i;

const parseCalendar = (text: string): string | undefined => {
  const match = pattern.exec(text);
  if (match === null) return undefined;
  const [, year, month, day, hour = "00", minute = "00", second = "00", fraction = "", zone = ""] = match;
  const milliseconds = Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}${zone.toUpperCase()}`);
  return Number.isNaN(milliseconds) ? undefined : `${Math.floor(milliseconds / 1000)}.${fraction.padEnd(9, "0")}`;
};

/** Seconds since 1970 as the API takes them, from a date, a duration (`10m`) or a number; throws for anything else. */
export const parseMoment = (text: string, now = Date.now()): string => {
  if (text === "" || text === "0") return text;
  try {
    return String(Math.floor(now / 1000 - parseDuration(text) / 1e9));
  } catch (error) {
    if (!(error instanceof PierError)) throw error;
  }
  const moment = /^\d+(\.\d+)?$/.test(text) ? text : parseCalendar(text);
  if (moment === undefined) throw cliError("timeInvalid", { text: quote(text) });
  return moment;
};
