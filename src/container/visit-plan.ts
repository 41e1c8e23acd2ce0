/** Plans of errands that see a container's files as the container does: in its mounts while it runs, in a copy of them while it does not. */
import type { Holder } from "../kernel/holder.ts";
import type { ProcessMark } from "../kernel/keeper.ts";
import { errnos } from "../kernel/numbers/errno.ts";
import { mountFlags } from "../kernel/numbers/mount.ts";
import { namespaces } from "../kernel/numbers/namespaces.ts";
import { noSlot, type Plan, type Step } from "../kernel/steps.ts";
import type { OciMount } from "./oci/spec.ts";
import { planMountSteps, planRoot, type RootPlace } from "./plan-mounts.ts";

const container = "the container";

/** A container that runs: its own mounts, from within. Nothing of it is executed, and the visitor is in none of its other namespaces. */
export const planVisitOfRunning = (process: ProcessMark, steps: readonly Step[]): Plan => ({
  outside: [
    { step: "openProcess", slot: container, ...process },
    { step: "clone", namespaces: 0, cgroup: noSlot },
  ],
  inside: [
    { step: "dieWithParent" },
    { step: "notDumpable", why: "CVE-2016-9962: who shares the host's processes must not look into the visitor" },
    { step: "joinProcess", slot: container, kinds: namespaces.mount.flag },
    { step: "openRoot", path: "/" },
    ...steps,
  ],
  after: [],
});

/** What a container that does not run would see: its layers, and what is mounted in them. */
export interface StoppedPlace {
  readonly holder: Pick<Holder, "pid" | "startTime">;
  readonly root: RootPlace;
  /** Whether it has a layer of its own yet. */
  readonly hasUpper: boolean;
  readonly mounts: readonly OciMount[];
  readonly subpaths: ReadonlyMap<string, string>;
}

const visitStopped = (
  place: StoppedPlace,
  before: readonly Step[],
  root: readonly Step[],
  steps: readonly Step[],
): Plan => {
  const mounts = planMountSteps(place.mounts, [], place.subpaths);
  const { pid, startTime } = place.holder;
  return {
    outside: [
      ...before,
      ...mounts.outside,
      { step: "openProcess", slot: "the holder", pid, startTime },
      { step: "joinProcess", slot: "the holder", kinds: namespaces.mount.flag, why: "the layers are mounted there" },
      { step: "clone", namespaces: namespaces.mount.flag, cgroup: noSlot },
    ],
    inside: [{ step: "dieWithParent" }, { step: "notDumpable" }, ...root, ...mounts.inside, ...steps],
    after: [],
  };
};

/** Its own layer is written to: nobody else may have it mounted. */
export const planChange = (place: StoppedPlace, directory: string, steps: readonly Step[]): Plan => {
  const made = [
    { path: directory, mode: 0o700 },
    { path: place.root.upper, mode: 0o755 },
    { path: place.root.work, mode: 0o700 },
  ].map(({ path, mode }): Step => ({ step: "makeDirectory", path, mode, tolerate: [errnos.EEXIST.number] }));
  // It was or will be mounted again, and that is only allowed when it was synced.
  return visitStopped(place, made, planRoot({ ...place.root, volatile: false }), steps);
};

/** Nothing is written: what must be made to mount things on is made in memory, and the container may be started meanwhile. */
export const planLook = (place: StoppedPlace, steps: readonly Step[]): Plan => {
  const { root, hasUpper } = place;
  const own = (name: string): string => `${root.mountpoint}/${name}`;
  const layers = [...(hasUpper ? [root.upper] : []), ...root.layers];
  const [privately, overlay] = planRoot({
    ...root,
    layers,
    upper: own("upper"),
    work: own("work"),
    mountpoint: own("root"),
    volatile: false,
  });
  const scratch: readonly Step[] = [
    privately!,
    {
      step: "mount",
      at: "",
      source: "tmpfs",
      target: root.mountpoint,
      type: "tmpfs",
      flags: mountFlags.MS_NOSUID | mountFlags.MS_NODEV,
      data: "mode=700,size=1m",
    },
    ...["upper", "work", "root"].map((name): Step => ({ step: "makeDirectory", path: own(name), mode: 0o755 })),
    overlay!,
    { step: "openRoot", path: own("root") },
  ];
  return visitStopped(place, [], scratch, steps);
};

/** Where the root lies in a look at, or a change of, a container that does not run. */
export const placesOfRoot = ({ mountpoint }: Pick<RootPlace, "mountpoint">): readonly string[] => [
  `${mountpoint}/root`,
  mountpoint,
];
