/** `pier info` */
import type { InfoAnswer, RegistryConfigAnswer } from "../../api/answers/system.ts";
import type { Client } from "../../api/client.ts";
import { maxVersion, pierVersion } from "../../api/versions.ts";
import { command } from "../command.ts";
import { flag } from "../flags.ts";
import { contextOf } from "../host.ts";
import { print, printError } from "../streams/output.ts";
import { formatMemory } from "../values/bytes.ts";
import { formatHelp } from "../values/format.ts";
import { text } from "../values/kinds.ts";

export const info = command({
  usage: "[OPTIONS]",
  flags: { format: flag(text(), formatHelp("plain"), { short: "f" }) },
  least: 0,
  most: 0,
  run: async ({ values: { format }, client, place }) => {
    const context = contextOf(place, process.env);
    if (format !== "") return await fill(format, client, context);
    print(`Client: pier\n Version:    ${pierVersion}\n Context:    ${context}\n\nServer:\n`);
    const server = await client.get("info", {});
    print(describe(server));
    for (const warning of server.Warnings ?? []) printError(`${warning}\n`);
    return 0;
  },
});

const fill = async (format: string, client: Client, context: string): Promise<number> => {
  const { readAnswerFormat } = await import("../output/format.ts");
  const fillTemplate = readAnswerFormat(format === "json" ? "{{json .}}" : format, "system.dockerInfo");
  const about = { Version: pierVersion, DefaultAPIVersion: maxVersion, Context: context };
  const { text: written, failure } = fillTemplate(
    JSON.stringify({ ...(await client.get("info", {})), ClientInfo: about }),
  );
  print(written);
  if (failure === undefined) return 0;
  printError(`${failure}\n`);
  return 1;
};

/** Docker's layout, for the facts that there are. */
const describe = (server: InfoAnswer): string => {
  const lines: string[] = [];
  const add = (depth: number, name: string, value: string | number | boolean): void => {
    lines.push(`${" ".repeat(depth)}${name}: ${value}`);
  };
  add(1, "Containers", server.Containers);
  add(2, "Running", server.ContainersRunning);
  add(2, "Paused", server.ContainersPaused);
  add(2, "Stopped", server.ContainersStopped);
  add(1, "Images", server.Images);
  add(1, "Server Version", server.ServerVersion);
  add(1, "Storage Driver", server.Driver);
  for (const [name, value] of server.DriverStatus ?? []) add(2, name, value);
  add(1, "Logging Driver", server.LoggingDriver);
  add(1, "Cgroup Driver", server.CgroupDriver);
  if (server.CgroupVersion) add(1, "Cgroup Version", server.CgroupVersion);
  lines.push(" Plugins:");
  add(2, "Volume", (server.Plugins.Volume ?? []).join(" "));
  add(2, "Network", (server.Plugins.Network ?? []).join(" "));
  add(2, "Log", (server.Plugins.Log ?? []).join(" "));
  add(
    1,
    "Runtimes",
    Object.keys(server.Runtimes ?? {})
      .sort()
      .join(" "),
  );
  add(1, "Default Runtime", server.DefaultRuntime);
  if ((server.SecurityOptions ?? []).length > 0) {
    lines.push(" Security Options:");
    for (const option of server.SecurityOptions) lines.push(...describeOption(option));
  }
  add(1, "Kernel Version", server.KernelVersion);
  add(1, "Operating System", server.OperatingSystem);
  add(1, "OSType", server.OSType);
  add(1, "Architecture", server.Architecture);
  add(1, "CPUs", server.NCPU);
  add(1, "Total Memory", formatMemory(server.MemTotal));
  add(1, "Name", server.Name);
  add(1, "ID", server.ID);
  add(1, "Docker Root Dir", server.DockerRootDir);
  add(1, "Debug Mode", server.Debug);
  for (const [name, value] of [
    ["HTTP Proxy", server.HttpProxy],
    ["HTTPS Proxy", server.HttpsProxy],
    ["No Proxy", server.NoProxy],
  ] as const)
    if (value !== "") add(1, name, value);
  add(1, "Experimental", server.ExperimentalBuild);
  if (server.RegistryConfig !== null) lines.push(...describeRegistries(server.RegistryConfig));
  add(1, "Live Restore Enabled", server.LiveRestoreEnabled);
  const pools = server.DefaultAddressPools ?? [];
  if (pools.length > 0) lines.push(" Default Address Pools:");
  for (const { Base, Size } of pools) lines.push(`   Base: ${Base}, Size: ${Size}`);
  return `${lines.join("\n")}\n`;
};

const describeRegistries = ({ IndexConfigs, InsecureRegistryCIDRs, Mirrors }: RegistryConfigAnswer): string[] => {
  const insecure = Object.values(IndexConfigs).filter(({ Secure }) => !Secure);
  return [
    " Insecure Registries:",
    ...[...insecure.map(({ Name }) => Name), ...InsecureRegistryCIDRs].map((text) => `  ${text}`),
    ...(Mirrors.length === 0 ? [] : [" Registry Mirrors:", ...Mirrors.map((text) => `  ${text}`)]),
  ];
};

/** `name=seccomp,profile=builtin` as a name with its options beneath. */
const describeOption = (option: string): string[] => {
  const fields = option.split(",").map((field) => field.split("=") as [string, string]);
  const name = fields.find(([key]) => key === "name")?.[1] ?? option;
  return [
    `  ${name}`,
    ...fields
      .filter(([key]) => key !== "name")
      .map(([key, value]) => `   ${key[0]?.toUpperCase()}${key.slice(1)}: ${value}`),
  ];
};
