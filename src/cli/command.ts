/** What a command is: its table of flags, how many words it takes, and what it does. */
import type { Client } from "../api/client.ts";
import type { FlagTable, Parsed } from "./flags.ts";
import type { Place } from "./host.ts";

export interface Call<T extends FlagTable = FlagTable> extends Parsed<T> {
  /** The command as help and messages name it: `ps`, `container ls`. */
  readonly path: string;
  /** Connects at its first request; starts a daemon where none runs and the socket is our own. */
  readonly client: Client;
  /** What the words before the command say of where the daemon is. */
  readonly place: Place;
}

export interface Command<T extends FlagTable = FlagTable> {
  /** What follows the command's name in its usage line. */
  readonly usage: string;
  readonly flags: T;
  /** How many words it takes. */
  readonly least: number;
  readonly most: number;
  /** Everything from the first word on belongs to somebody else's command line. */
  readonly stopAtFirst?: boolean;
  /** Resolves to the exit code; nothing is success. */
  run(call: Call<T>): Promise<number | undefined>;
}

/** Gives a command's `run` the types of its own flags. */
export const command = <const T extends FlagTable>(definition: Command<T>): Command => definition as unknown as Command;
