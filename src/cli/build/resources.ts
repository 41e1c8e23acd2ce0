/** What the programs that `RUN` starts may use; and flags of docker's that say what pier does anyway, or cannot do. */
import { swapBytes, ulimits } from "../create/resources.ts";
import { cliError } from "../errors.ts";
import { flag, type Values } from "../flags.ts";
import { boolean, bytes, integer, text, texts } from "../values/kinds.ts";

export const resourceFlags = {
  "cgroup-parent": flag(text(), 'Set the parent cgroup for the "RUN" instructions during build'),
  "cpu-period": flag(integer(), "Limit the CPU CFS (Completely Fair Scheduler) period"),
  "cpu-quota": flag(integer(), "Limit the CPU CFS (Completely Fair Scheduler) quota"),
  "cpu-shares": flag(integer(), "CPU shares (relative weight)", { short: "c" }),
  "cpuset-cpus": flag(text(), "CPUs in which to allow execution (0-3, 0,1)"),
  "cpuset-mems": flag(text(), "MEMs in which to allow execution (0-3, 0,1)"),
  memory: flag(bytes, "Memory limit", { short: "m" }),
  "memory-swap": flag(swapBytes, "Swap limit equal to memory plus swap: -1 to enable unlimited swap"),
  "shm-size": flag(bytes, "Shared memory size for build containers"),
  ulimit: flag(ulimits, "Ulimit options"),
};

export const resourceQuery = (flags: Values<typeof resourceFlags>): Readonly<Record<string, string>> => {
  const numbers = {
    cpuperiod: flags["cpu-period"],
    cpuquota: flags["cpu-quota"],
    cpushares: flags["cpu-shares"],
    memory: flags.memory,
    memswap: flags["memory-swap"],
    shmsize: flags["shm-size"],
  };
  const given = {
    cgroupparent: flags["cgroup-parent"],
    cpusetcpus: flags["cpuset-cpus"],
    cpusetmems: flags["cpuset-mems"],
    ulimits: flags.ulimit.length === 0 ? "" : JSON.stringify(flags.ulimit),
    ...Object.fromEntries(Object.entries(numbers).map(([name, value]) => [name, value === 0 ? "" : String(value)])),
  };
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== ""));
};

/** Scripts give them; what they ask for is so already, or is refused. */
export const dockerFlags = {
  annotation: flag(texts, "Add annotation to the image (refused: there are none)"),
  attest: flag(texts, 'Attestation parameters (only "type=…,disabled=true": there are none)'),
  builder: flag(text(), 'Override the configured builder instance (only "default")'),
  compress: flag(boolean(), "Compress the build context using gzip (only what has changed is sent)"),
  "force-rm": flag(boolean(), "Always remove intermediate containers (none stays)"),
  isolation: flag(text(), 'Container isolation technology (only "default")'),
  provenance: flag(text(), 'Shorthand for "--attest=type=provenance" (only "false")'),
  rm: flag(boolean(true), "Remove intermediate containers after a successful build (none stays)"),
  sbom: flag(text(), 'Shorthand for "--attest=type=sbom" (only "false")'),
  "security-opt": flag(texts, "Security options (refused: those of all containers hold)"),
};

/** Throws for what would make something else than is asked for. */
export const refuseOthers = (flags: Values<typeof dockerFlags>): void => {
  const refuse = (name: string, value: string, reason: string): never => {
    throw cliError("buildFlag", { flag: value === "" ? `--${name}` : `--${name} ${value}`, reason });
  };
  const { annotation, attest, builder, isolation, provenance, sbom, rm } = flags;
  const attested = attest.find((one) => !one.split(",").includes("disabled=true"));
  if (attested !== undefined) refuse("attest", attested, "attestations are not made");
  for (const [name, value] of Object.entries({ provenance, sbom })) {
    if (!["", "false", "0"].includes(value)) refuse(name, value, "attestations are not made");
  }
  if (annotation.length > 0) refuse("annotation", annotation[0]!, "annotations are not written");
  if (!["", "default"].includes(builder)) refuse("builder", builder, "there is one builder, the daemon");
  if (!["", "default"].includes(isolation)) refuse("isolation", isolation, "there is one isolation on Linux");
  const [security] = flags["security-opt"];
  if (security !== undefined) refuse("security-opt", security, "builds have the profiles of all containers");
  if (!rm) refuse("rm=false", "", "no container of a build stays");
};
