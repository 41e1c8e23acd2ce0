/** `pier port` */
import { command } from "../command.ts";
import { Failure, messageOf } from "../failure.ts";
import { joinAddress } from "../output/ports.ts";
import { print } from "../streams/output.ts";
import { parseUnsigned } from "../values/numbers.ts";

export const port = command({
  usage: "CONTAINER [PRIVATE_PORT[/PROTO]]",
  flags: {},
  least: 1,
  most: 2,
  run: async ({ positional, client }) => {
    const [id = "", wanted = ""] = positional;
    const { NetworkSettings } = await client.get("containerInspect", { id });
    const ports = NetworkSettings.Ports ?? {};
    const addresses = (name: string) =>
      (ports[name] ?? []).map(({ HostIp = "", HostPort = "" }) => joinAddress(HostIp, HostPort));
    if (wanted === "") {
      const lines = Object.keys(ports).flatMap((name) => addresses(name).map((address) => `${name} -> ${address}\n`));
      print(lines.sort(inOrder).join(""));
      return;
    }
    const [number = "", protocol] = wanted.split("/");
    checkNumber(number);
    const lines = addresses(`${number}/${protocol || "tcp"}`);
    if (lines.length === 0) throw new Failure(`Error: No public port '${wanted}' published for ${id}`);
    print(lines.map((line) => `${line}\n`).join(""));
  },
});

const checkNumber = (number: string): void => {
  try {
    parseUnsigned(number, 16);
  } catch (cause) {
    throw new Failure(`Error: invalid port (${number}): ${messageOf(cause)}`, 1, cause);
  }
};

/** Numbers by their size, the rest by its letters. */
const inOrder = (a: string, b: string): number => a.localeCompare(b, "en", { numeric: true });
