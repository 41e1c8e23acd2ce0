/** `pier version` */
import { arch } from "node:os";
import type { VersionAnswer } from "../../api/answers/system.ts";
import { maxVersion, pierVersion } from "../../api/versions.ts";
import { command } from "../command.ts";
import { messageOf } from "../failure.ts";
import { flag } from "../flags.ts";
import { contextOf } from "../host.ts";
import { print, printError } from "../streams/output.ts";
import { formatHelp } from "../values/format.ts";
import { text } from "../values/kinds.ts";

const own = (context: string) => ({
  Version: pierVersion,
  ApiVersion: maxVersion,
  DefaultAPIVersion: maxVersion,
  Os: process.platform,
  Arch: ({ x64: "amd64", ia32: "386" } as Readonly<Record<string, string>>)[arch()] ?? arch(),
  Context: context,
});

type Own = ReturnType<typeof own>;

export const version = command({
  usage: "[OPTIONS]",
  flags: { format: flag(text(), formatHelp("plain"), { short: "f" }) },
  least: 0,
  most: 0,
  run: async ({ values: { format }, client, place }) => {
    const write = await printerFor(format, own(contextOf(place, process.env)));
    const failures: string[] = [];
    const server = await client.get("version", {}).catch((error: unknown) => {
      failures.push(messageOf(error));
      return null;
    });
    const { text: written, failure } = write(server);
    print(written);
    if (failure !== undefined) failures.unshift(failure);
    if (failures.length > 0) printError(`${failures.join("\n")}\n`);
    return failures.length > 0 ? 1 : 0;
  },
});

type Printer = (server: VersionAnswer | null) => { readonly text: string; readonly failure: string | undefined };

const printerFor = async (format: string, client: Own): Promise<Printer> => {
  if (format === "") return (server) => ({ text: describe(client, server), failure: undefined });
  const { readAnswerFormat } = await import("../output/format.ts");
  const fillTemplate = readAnswerFormat(format === "json" ? "{{json .}}" : format, "system.versionInfo", "version");
  return (server) => fillTemplate(JSON.stringify({ Client: client, Server: server }));
};

const describe = (client: Own, server: VersionAnswer | null): string => {
  const lines = [
    "Client: pier",
    line(1, "Version:", client.Version),
    line(1, "API version:", client.ApiVersion),
    line(1, "OS/Arch:", `${client.Os}/${client.Arch}`),
    line(1, "Context:", client.Context),
  ];
  if (server !== null) lines.push("", ...describeServer(server));
  return `${lines.join("\n")}\n`;
};

const describeServer = (server: VersionAnswer): string[] => {
  const [engine, ...others] = server.Components ?? [];
  return [
    `Server:${server.Platform?.Name ? ` ${server.Platform.Name}` : ""}`,
    ` ${engine?.Name ?? "Engine"}:`,
    line(2, "Version:", server.Version),
    line(2, "API version:", `${server.ApiVersion} (minimum version ${server.MinAPIVersion})`),
    line(2, "OS/Arch:", `${server.Os}/${server.Arch}`),
    line(2, "Kernel:", server.KernelVersion),
    ...others.flatMap(({ Name, Version }) => [` ${Name}:`, line(2, "Version:", Version)]),
  ];
};

const line = (depth: number, name: string, value: string): string =>
  `${" ".repeat(depth)}${name.padEnd(19 - depth)}${value}`;
