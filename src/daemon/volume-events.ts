/** That a volume is mounted and unmounted follows from its containers' starts and ends. */
import type { ContainerEvent } from "../container/events.ts";
import { volumeMounts } from "../container/mounts.ts";
import type { ContainerRecord } from "../container/record.ts";
import { localDriver } from "../volume/record.ts";
import type { PierEvent } from "./events.ts";

const actions: Readonly<Record<string, string>> = { start: "mount", die: "unmount" };

/** What an event of a container means for its volumes, as Docker tells it. */
export const volumeEvents = (
  { action, id, time }: ContainerEvent,
  containers: { get(id: string): ContainerRecord },
): readonly PierEvent[] => {
  const told = actions[action];
  if (told === undefined) return [];
  return volumeMounts(containers.get(id).request).map((mount) => ({
    time,
    type: "volume",
    action: told,
    id: mount.name,
    attributes: {
      container: id,
      driver: localDriver,
      ...(told === "mount"
        ? {
            destination: mount.target,
            propagation: mount.propagationAsked ? mount.propagation : "",
            "read/write": String(!mount.readonly),
          }
        : {}),
    },
  }));
};
