/** A container that runs and comes into its first network with names: from now on it asks pier. */
import { readFileSync } from "node:fs";
import { runErrand } from "../kernel/errand.ts";
import { namespaces } from "../kernel/numbers/namespaces.ts";
import type { Step } from "../kernel/steps.ts";
import { planNames, resolverPort } from "../network/dns/plan.ts";
import type { Endpoint } from "../network/endpoint.ts";
import { changePlan, changesSince } from "./change.ts";
import type { Launcher } from "./launch.ts";
import { type Live, readSpec } from "./live.ts";
import { networkFiles } from "./network-files.ts";
import { containerPaths } from "./paths.ts";
import type { ContainerRecord } from "./record.ts";
import type { ContainerRooms } from "./rooms.ts";

const container = "the container";

/** Holds afterwards: 127.0.0.11 answers in the container, and its /etc/resolv.conf says so, if nobody has written there. */
export const openNames = async (
  rooms: ContainerRooms,
  launcher: Launcher,
  record: ContainerRecord,
  before: readonly Endpoint[],
  live: Live,
): Promise<void> => {
  // One of an older pier goes on asking as it did.
  if (live.keeper.protocol < changesSince) return;
  const { outside, inside } = planNames(resolverPort(record.id), rooms.names.tableOf(record.id));
  await changePlan(launcher, record, record.endpoints, outside, live);
  const steps: Step[] = [
    { step: "openProcess", slot: container, ...live.process },
    ...(await resolvSteps(rooms, record, before, live)),
    { step: "joinProcess", slot: container, kinds: namespaces.network.flag, why: "who asks there is led to pier" },
    ...inside,
  ];
  await runErrand(rooms.holder, rooms.run, { outside: steps, inside: [], after: [] });
};

const resolvSteps = async (
  rooms: ContainerRooms,
  record: ContainerRecord,
  before: readonly Endpoint[],
  live: Live,
): Promise<readonly Step[]> => {
  const { host, networks } = rooms;
  const own = { hostname: host.hostname, hostGateway: networks.hostGateway(), ipv6: networks.host.ipv6, linked: [] };
  const spec = await readSpec(live.paths);
  const fileOf = (endpoints: readonly Endpoint[]) =>
    networkFiles(record, spec, containerPaths(rooms, record.id), endpoints, own).find(({ path }) =>
      path.endsWith("/resolv.conf"),
    );
  const [old, now] = [fileOf(before), fileOf(record.endpoints)];
  if (old === undefined || now === undefined || readFileSync(old.path, "utf8") !== old.content) return [];
  const content = new TextEncoder().encode(now.content);
  return [{ step: "createFile", path: now.path, mode: 0o644, content, why: "the container asks pier from now on" }];
};
