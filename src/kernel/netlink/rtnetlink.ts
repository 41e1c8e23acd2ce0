/** Links, addresses and routes as messages to the kernel (`linux/rtnetlink.h`, `linux/if_link.h`). */
import {
  type Attribute,
  bytes,
  type EncodedMessages,
  encodeMessages,
  firstProcess,
  flags,
  type Message,
  text,
  u8,
  u16,
  u32,
} from "./message.ts";

/** The `protocol` of a `netlink` step. */
export const routeProtocol = 0;

const types = { newLink: 16, deleteLink: 17, setLink: 19, newAddress: 20, newRoute: 24 } as const;
const family = { none: 0, inet: 2, bridge: 7, inet6: 10 } as const;
const up = 0x1;
const link = {
  address: 1,
  name: 3,
  mtu: 4,
  link: 5,
  master: 10,
  protocolInfo: 12,
  linkInfo: 18,
  netnsPid: 19,
  alias: 20,
  familySpec: 26,
} as const;
const linkInfo = { kind: 1, data: 2 } as const;
const vethPeer = 1;
const portMode = 4;
const portIsolated = 33;
const addressGenerationMode = 8;
const noAddress = 1;
const make = flags.create | flags.exclusive;

/** `ifinfomsg`; index 0 leaves the choice to the kernel, or the name decides. */
const linkHeader = (index: number, setUp: boolean, kind: number = family.none): Uint8Array =>
  bytes(Uint8Array.of(kind, 0), u16(0), u32(index), u32(setUp ? up : 0), u32(setUp ? up : 0));

const when = (type: number, value: Uint8Array | undefined): Attribute[] => (value === undefined ? [] : [[type, value]]);

/** Several changes as one `netlink` step; each is acknowledged. */
export const encodeRoute = (messages: readonly Message[]): EncodedMessages =>
  encodeMessages(messages.map((message) => ({ ...message, flags: message.flags | flags.acknowledge })));

export interface NewLink {
  readonly name: string;
  /** The interface's number, chosen by us so that later messages of the same step can name it. */
  readonly index: number;
  readonly mac?: Uint8Array;
  readonly mtu?: number;
}

const named = ({ name, mac, mtu }: NewLink): Attribute[] => [
  [link.name, text(name)],
  ...when(link.address, mac),
  ...when(link.mtu, mtu === undefined ? undefined : u32(mtu)),
];

/** A bridge, up; with a MAC of its own it does not take over (and change with) those of its ports. */
export const addBridge = (bridge: NewLink): Message => ({
  type: types.newLink,
  flags: make,
  header: linkHeader(bridge.index, true),
  attributes: [...named(bridge), [link.linkInfo, [[linkInfo.kind, text("bridge")]]]],
});

/** The bridge's port and others like it do not reach each other. */
export const isolate = (index: number): Message => ({
  type: types.setLink,
  flags: 0,
  header: linkHeader(index, false, family.bridge),
  attributes: [[link.protocolInfo, [[portIsolated, u8(1)]]]],
});

/**
 * A pair: one end here, at a bridge; the other in the network namespace of a process, which is the container's first one
 * if no other is named. Both down.
 */
export const addVeth = (
  here: NewLink & { readonly master: number },
  there: NewLink & { readonly pid?: number | undefined },
): Message => ({
  type: types.newLink,
  flags: make,
  header: linkHeader(here.index, false),
  attributes: [
    ...named(here),
    [link.master, u32(here.master)],
    [
      link.linkInfo,
      [
        [linkInfo.kind, text("veth")],
        [
          linkInfo.data,
          [
            [
              vethPeer,
              {
                header: linkHeader(there.index, false),
                attributes: [...named(there), [link.netnsPid, there.pid === undefined ? firstProcess : u32(there.pid)]],
              },
            ],
          ],
        ],
      ],
    ],
  ],
});

/** A pair whose other end is here too, under a name that the kernel gives it: whether there are such pairs at all. */
export const addPairHere = (here: NewLink): Message => ({
  type: types.newLink,
  flags: make,
  header: linkHeader(here.index, false),
  attributes: [...named(here), [link.linkInfo, [[linkInfo.kind, text("veth")]]]],
});

const macvlanBridge = 4;

/** A further address at an interface of the host: an interface in the namespace of a process, as with `addVeth`. Down. */
export const addMacvlan = (own: NewLink & { readonly parent: number; readonly pid?: number | undefined }): Message => ({
  type: types.newLink,
  flags: make,
  header: linkHeader(own.index, false),
  attributes: [
    ...named(own),
    [link.link, u32(own.parent)],
    [link.netnsPid, own.pid === undefined ? firstProcess : u32(own.pid)],
    [
      link.linkInfo,
      [
        [linkInfo.kind, text("macvlan")],
        [linkInfo.data, [[1, u32(macvlanBridge)]]],
      ],
    ],
  ],
});

/** The link is up, and gives itself no IPv6 address. */
export const raiseLink = (index: number): Message => ({
  type: types.newLink,
  flags: 0,
  header: linkHeader(index, true),
  attributes: [[link.familySpec, [[family.inet6, [[addressGenerationMode, u8(noAddress)]]]]]],
});

/** The bridge's port sends frames back out of itself: needed where bridged frames pass the firewall (bridge-nf-call-iptables) and are sent back to a published port of their own container. */
export const setHairpin = (index: number): Message => ({
  type: types.setLink,
  flags: 0,
  header: linkHeader(index, false, family.bridge),
  attributes: [[link.protocolInfo, [[portMode, u8(1)]]]],
});

export const setMaster = (index: number, master: number): Message => ({
  type: types.setLink,
  flags: 0,
  header: linkHeader(index, true),
  attributes: [[link.master, u32(master)]],
});

export const setUp = (index: number): Message => ({
  type: types.newLink,
  flags: 0,
  header: linkHeader(index, true),
  attributes: [],
});

/** A text that stays with the interface, and that anybody can read. */
export const setAlias = (index: number, alias: string): Message => ({
  type: types.newLink,
  flags: 0,
  header: linkHeader(index, true),
  attributes: [[link.alias, text(alias)]],
});

export const deleteLink = (name: string): Message => ({
  type: types.deleteLink,
  flags: 0,
  header: linkHeader(0, false),
  attributes: [[link.name, text(name)]],
});

/** No duplicates are looked for: addresses are given out once, and one that is being checked cannot be used. */
const noDuplicateCheck = 0x02;

const broadcastOf = (address: Uint8Array, prefix: number): Uint8Array =>
  address.map((byte, index) => byte | (0xff >>> Math.min(Math.max(prefix - index * 8, 0), 8)));

/** An address (of 4 or 16 bytes) with its subnet and, in IPv4, the subnet's broadcast address. */
export const addAddress = (index: number, address: Uint8Array, prefix: number): Message => {
  const isIpv4 = address.length === 4;
  const kind = isIpv4 ? family.inet : family.inet6;
  return {
    type: types.newAddress,
    flags: make,
    header: bytes(Uint8Array.of(kind, prefix, isIpv4 ? 0 : noDuplicateCheck, 0), u32(index)),
    attributes: [
      [1, address],
      [2, address],
      ...when(4, isIpv4 && prefix < 31 ? broadcastOf(address, prefix) : undefined),
    ],
  };
};

const mainTable = 254;
const bootProtocol = 3;
const unicast = 1;

const defaultRoute = (messageFlags: number, index: number, gateway: Uint8Array): Message => {
  const kind = gateway.length === 4 ? family.inet : family.inet6;
  return {
    type: types.newRoute,
    flags: messageFlags,
    header: bytes(Uint8Array.of(kind, 0, 0, 0, mainTable, bootProtocol, 0, unicast), u32(0)),
    attributes: [
      [4, u32(index)],
      [5, gateway],
    ],
  };
};

/** What no other route leads to goes to the gateway (an address of 4 or 16 bytes). */
export const addDefaultRoute = (index: number, gateway: Uint8Array): Message => defaultRoute(make, index, gateway);

/** The same, also where there is a default route already. */
export const replaceDefaultRoute = (index: number, gateway: Uint8Array): Message =>
  defaultRoute(flags.create | flags.replace, index, gateway);
