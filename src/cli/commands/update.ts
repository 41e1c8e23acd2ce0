/** `pier update` */
import { command } from "../command.ts";
import { parseRestart } from "../create/body.ts";
import { containerFlags } from "../create/flags.ts";
import { parsePublish } from "../create/ports.ts";
import { forEach } from "../each.ts";
import { cliError } from "../errors.ts";
import { flag } from "../flags.ts";
import { printError } from "../streams/output.ts";
import { text, texts } from "../values/kinds.ts";

/** The limits of `run` that can change later. */
const limits = [
  "blkio-weight",
  "cpu-period",
  "cpu-quota",
  "cpu-rt-period",
  "cpu-rt-runtime",
  "cpu-shares",
  "cpus",
  "cpuset-cpus",
  "cpuset-mems",
  "kernel-memory",
  "memory",
  "memory-reservation",
  "memory-swap",
  "pids-limit",
] as const satisfies readonly (keyof typeof containerFlags)[];

const limitFlags = Object.fromEntries(limits.map((name) => [name, containerFlags[name]])) as Pick<
  typeof containerFlags,
  (typeof limits)[number]
>;

const portBindings = (published: readonly string[]) =>
  Object.fromEntries(
    [...Map.groupBy(published.flatMap(parsePublish), ({ port }) => port)].map(([port, group]) => [
      port,
      group.map(({ binding }) => binding),
    ]),
  );

export const update = command({
  usage: "[OPTIONS] CONTAINER [CONTAINER...]",
  flags: {
    ...limitFlags,
    "publish-add": flag(texts, "Publish a container's port(s) to the host, now and at every start"),
    "publish-rm": flag(texts, "Publish a port of the host no longer"),
    restart: flag(text(), "Restart policy to apply when a container exits"),
  },
  least: 1,
  most: Number.POSITIVE_INFINITY,
  run: async ({ values: flags, given, positional, client }) => {
    if (given.size === 0) throw cliError("nothingToUpdate", {});
    const json = {
      BlkioWeight: flags["blkio-weight"],
      CpuPeriod: flags["cpu-period"],
      CpuQuota: flags["cpu-quota"],
      CpuRealtimePeriod: flags["cpu-rt-period"],
      CpuRealtimeRuntime: flags["cpu-rt-runtime"],
      CpuShares: flags["cpu-shares"],
      NanoCpus: flags.cpus,
      CpusetCpus: flags["cpuset-cpus"],
      CpusetMems: flags["cpuset-mems"],
      Memory: flags.memory,
      MemoryReservation: flags["memory-reservation"],
      MemorySwap: flags["memory-swap"],
      ...(given.has("pids-limit") ? { PidsLimit: flags["pids-limit"] } : {}),
      PublishAdd: portBindings(flags["publish-add"]),
      PublishRemove: flags["publish-rm"],
      RestartPolicy: flags.restart === "" ? {} : parseRestart(flags.restart),
    };
    return await forEach(positional, async (id) => {
      const { Warnings } = await client.get("containerUpdate", { id }, { json });
      for (const warning of Warnings ?? []) printError(`${warning}\n`);
    });
  },
});
