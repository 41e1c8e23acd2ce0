/** What the database keeps of a container. */
import type { ContainerId, ImageId } from "../base/ids.ts";
import type { Endpoint } from "../network/endpoint.ts";
import type { Health } from "./health.ts";
import type { CreateRequest } from "./request.ts";
import type { ContainerState } from "./state.ts";

export interface ContainerRecord {
  readonly id: ContainerId;
  readonly name: string;
  /** Milliseconds since 1970. */
  readonly created: number;
  readonly request: CreateRequest;
  readonly image: { readonly id: ImageId /** as the user wrote it */; readonly reference: string };
  /** The command line that runs: entrypoint and arguments. */
  readonly command: readonly string[];
  /** Empty while nothing connects the container: before its start, after its end, and with no or the host's network. */
  readonly endpoints: readonly Endpoint[];
  readonly state: ContainerState;
  /** Absent when nobody asks it, or it has never run. */
  readonly health?: Health;
  /** Its removal has begun: some of its files may be gone, and all that can be done is to remove it. */
  readonly removing?: true;
  /** How many times it was started again by us since somebody started it. */
  readonly restarts: number;
  /** How long we waited before the last of these starts (milliseconds). */
  readonly backOff?: number;
  /** Somebody ended it: not every restart policy starts it again. */
  readonly stopped?: true;
  /** It is being restarted, and outlives its end in spite of `--rm`. */
  readonly stays?: true;
}

/** Its end is its removal, also without a daemon. */
export const goesAtEnd = ({ request, stays }: ContainerRecord): boolean => request.autoRemove && stays !== true;
