/** `pier version` */
import { arch } from "node:os";
import type { VersionAnswer } from "../../api/answers.ts";
import { maxVersion, pierVersion } from "../../api/versions.ts";
import { command } from "../command.ts";
import { Failure, messageOf } from "../failure.ts";
import { flag } from "../flags.ts";
import { print, printError } from "../streams/output.ts";
import { formatHelp } from "../values/format.ts";
import { text } from "../values/kinds.ts";

const own = () => ({
  Version: pierVersion,
  ApiVersion: maxVersion,
  DefaultAPIVersion: maxVersion,
  Os: process.platform,
  Arch: ({ x64: "amd64", ia32: "386" } as Readonly<Record<string, string>>)[arch()] ?? arch(),
});

export const version = command({
  usage: "[OPTIONS]",
  flags: { format: flag(text(), formatHelp("plain"), { short: "f" }) },
  least: 0,
  most: 0,
  run: async ({ values: { format }, client }) => {
    const show = await printerFor(format);
    try {
      print(show(await client.get("version", {})));
      return 0;
    } catch (error) {
      if (error instanceof Failure) throw error;
      print(show(null));
      printError(`${messageOf(error)}\n`);
      return 1;
    }
  },
});

type Printer = (server: VersionAnswer | null) => string;

const printerFor = async (format: string): Promise<Printer> => {
  if (format === "") return describe;
  if (format === "json") return (server) => `${JSON.stringify({ Client: own(), Server: server })}\n`;
  const { parseFormat } = await import("../output/format.ts");
  const template = parseFormat(format, {
    unreadable: "template parsing error",
    unfillable: "template parsing error",
    exitCode: 64,
  });
  return (server) => `${template.fillJson(JSON.stringify({ Client: own(), Server: server }))}\n`;
};

const describe: Printer = (server) => {
  const client = own();
  const lines = [
    "Client: pier",
    line(1, "Version:", client.Version),
    line(1, "API version:", client.ApiVersion),
    line(1, "OS/Arch:", `${client.Os}/${client.Arch}`),
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
