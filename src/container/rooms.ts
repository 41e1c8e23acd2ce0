/** The rooms below, and the places on disk, that the work on containers needs. */
import type { Clock } from "../base/clock.ts";
import type { Database } from "../base/database.ts";
import type { Images } from "../image/images.ts";
import type { HostFacts } from "../kernel/facts.ts";
import type { Holding } from "../kernel/holder.ts";
import type { Standby } from "../kernel/standby.ts";
import type { NameBook } from "../network/dns/book.ts";
import type { Networks } from "../network/networks.ts";
import type { Volumes } from "../volume/volumes.ts";
import type { Runtimes } from "./runtimes.ts";

export interface ContainerRooms {
  readonly database: Database;
  readonly images: Images;
  readonly networks: Networks;
  readonly volumes: Volumes;
  readonly names: NameBook;
  readonly host: HostFacts;
  readonly holder: Holding;
  /** Who keeps the next container, or session. */
  readonly standby: Standby;
  readonly clock: Clock;
  /** What survives the machine: `/var/lib/pier`. */
  readonly root: string;
  /** What does not: `/run/pier`. */
  readonly run: string;
  /** Who makes containers that ask for another runtime. */
  readonly runtimes: Runtimes;
  /** More variables for the containers of an image of our own. */
  readonly imageEnv?: (image: string) => Promise<readonly string[]>;
}
