/** `pier network create`, `rm`, `prune`, `connect`, `disconnect`. */
import { AnswerError } from "../../api/client.ts";
import { command } from "../command.ts";
import { isConfirmed } from "../confirm.ts";
import { planEndpoint } from "../create/networks.ts";
import { forEach } from "../each.ts";
import { cliError } from "../errors.ts";
import { flag } from "../flags.ts";
import { print } from "../streams/output.ts";
import { isAddress } from "../values/addresses.ts";
import { encodeFilters, filters } from "../values/filters.ts";
import { boolean, integer, pairs, text, texts } from "../values/kinds.ts";
import { poolsOf } from "../values/pools.ts";

export const networkCreate = command({
  usage: "[OPTIONS] NETWORK",
  flags: {
    attachable: flag(boolean(), "Enable manual container attachment"),
    "aux-address": flag(pairs("map"), "Auxiliary IPv4 or IPv6 addresses used by Network driver"),
    "config-from": flag(text(), "The network from which to copy the configuration"),
    "config-only": flag(boolean(), "Create a configuration only network"),
    driver: flag(text("bridge"), "Driver to manage the Network", { short: "d" }),
    gateway: flag(texts, "IPv4 or IPv6 Gateway for the master subnet"),
    ingress: flag(boolean(), "Create swarm routing-mesh network"),
    internal: flag(boolean(), "Restrict external access to the network"),
    "ip-range": flag(texts, "Allocate container ip from a sub-range"),
    "ipam-driver": flag(text("default"), "IP Address Management Driver"),
    "ipam-opt": flag(pairs("map"), "Set IPAM driver specific options"),
    ipv4: flag(boolean(true), "Enable or disable IPv4 address assignment"),
    ipv6: flag(boolean(), "Enable or disable IPv6 address assignment"),
    label: flag(pairs("list"), "Set metadata on a network"),
    opt: flag(pairs("map"), "Set driver specific options", { short: "o" }),
    scope: flag(text(), "Control the network's scope"),
    subnet: flag(texts, "Subnet in CIDR format that represents a network segment"),
  },
  least: 1,
  most: 1,
  run: async ({ values: flags, given, positional: [name], client }) => {
    const json = {
      Name: name,
      Driver: flags.driver,
      Scope: flags.scope,
      ...(given.has("ipv4") ? { EnableIPv4: flags.ipv4 } : {}),
      ...(given.has("ipv6") ? { EnableIPv6: flags.ipv6 } : {}),
      IPAM: {
        Driver: flags["ipam-driver"],
        Options: flags["ipam-opt"],
        Config: poolsOf({
          subnets: flags.subnet,
          ranges: flags["ip-range"],
          gateways: flags.gateway,
          auxiliary: flags["aux-address"],
        }),
      },
      Internal: flags.internal,
      Attachable: flags.attachable,
      Ingress: flags.ingress,
      ConfigOnly: flags["config-only"],
      ...(flags["config-from"] === "" ? {} : { ConfigFrom: { Network: flags["config-from"] } }),
      Options: flags.opt,
      Labels: flags.label,
    };
    const { Id } = await client.get("networkCreate", {}, { json });
    print(`${Id}\n`);
  },
});

export const networkRm = command({
  usage: "NETWORK [NETWORK...]",
  flags: { force: flag(boolean(), "Do not error if the network does not exist", { short: "f" }) },
  least: 1,
  most: Number.POSITIVE_INFINITY,
  run: async ({ values: { force }, positional, client }) =>
    forEach(positional, async (id) => {
      try {
        await client.text("networkDelete", { id });
      } catch (error) {
        if (!(force && error instanceof AnswerError && error.status === 404)) throw error;
      }
    }),
});

export const networkPrune = command({
  usage: "[OPTIONS]",
  flags: {
    filter: flag(filters, 'Provide filter values (e.g. "until=<timestamp>")'),
    force: flag(boolean(), "Do not prompt for confirmation", { short: "f" }),
  },
  least: 0,
  most: 0,
  run: async ({ values: { filter, force }, client }) => {
    const warning = "WARNING! This will remove all custom networks not used by at least one container.";
    if (!force && !(await isConfirmed(warning))) throw cliError("pruneCancelled", { what: "network" });
    const { NetworksDeleted } = await client.get("networkPrune", {}, { query: { filters: encodeFilters(filter) } });
    const deleted = NetworksDeleted ?? [];
    if (deleted.length > 0) print(`Deleted Networks:\n${deleted.join("\n")}\n\n`);
  },
});

export const networkConnect = command({
  usage: "[OPTIONS] NETWORK CONTAINER",
  flags: {
    alias: flag(texts, "Add network-scoped alias for the container"),
    "driver-opt": flag(pairs("map"), "driver options for the network"),
    "gw-priority": flag(
      integer(),
      "Highest gw-priority provides the default gateway. Accepts positive and negative values",
    ),
    ip: flag(text(), 'IPv4 address (e.g., "172.30.100.104")'),
    ip6: flag(text(), 'IPv6 address (e.g., "2001:db8::33")'),
    link: flag(texts, "Add link to another container"),
    "link-local-ip": flag(texts, "Add a link-local address for the container"),
  },
  least: 2,
  most: 2,
  run: async ({ values: flags, positional: [id = "", container = ""], client }) => {
    for (const address of [flags.ip, flags.ip6]) {
      if (address !== "" && !isAddress(address)) throw cliError("addressInvalid", { text: address });
    }
    const endpoint = planEndpoint({
      network: id,
      aliases: flags.alias,
      links: flags.link,
      driverOptions: flags["driver-opt"],
      ipv4: flags.ip,
      ipv6: flags.ip6,
      linkLocal: flags["link-local-ip"],
      hardware: "",
      priority: flags["gw-priority"],
    });
    await client.text("networkConnect", { id }, { json: { Container: container, EndpointConfig: endpoint } });
  },
});

export const networkDisconnect = command({
  usage: "[OPTIONS] NETWORK CONTAINER",
  flags: { force: flag(boolean(), "Force the container to disconnect from a network", { short: "f" }) },
  least: 2,
  most: 2,
  run: async ({ values: { force }, positional: [id = "", container = ""], client }) => {
    await client.text("networkDisconnect", { id }, { json: { Container: container, Force: force } });
  },
});
