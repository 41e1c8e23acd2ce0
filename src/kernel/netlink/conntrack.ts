/** The kernel's table of connections (`linux/netfilter/nfnetlink_conntrack.h`). */
import { type EncodedMessages, encodeMessages, flags, u8, u32 } from "./message.ts";

const deleteConnection = (1 << 8) | 2;
/** `AF_INET` and `AF_INET6`, and where each has its source address. */
const families = { ip: { number: 2, source: 1 }, ip6: { number: 10, source: 3 } } as const;
const reply = 2;
const filter = 25;
/** Of the reply: compare the source address and the protocol, nothing else. */
const compareSourceAndProtocol = (1 << 0) | (1 << 3);

/**
 * No connection of the protocol is answered by the address (of 4 or 16 bytes) any more. Kernels that cannot filter here (before 6.10) say
 * EINVAL and forget nothing.
 */
export const encodeForget = (address: Uint8Array, protocol: number): EncodedMessages => {
  const family = address.length === 4 ? families.ip : families.ip6;
  return encodeMessages([
    {
      type: deleteConnection,
      flags: flags.acknowledge,
      header: Uint8Array.of(family.number, 0, 0, 0),
      attributes: [
        [
          reply,
          [
            [1, [[family.source, address]]],
            [2, [[1, u8(protocol)]]],
          ],
        ],
        [
          filter,
          [
            [1, u32(0)],
            [2, u32(compareSourceAndProtocol)],
          ],
        ],
      ],
    },
  ]);
};
