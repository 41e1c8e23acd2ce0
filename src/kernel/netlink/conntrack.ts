/** The kernel's table of connections (`linux/netfilter/nfnetlink_conntrack.h`). */
import { be32, type EncodedMessages, encodeMessages, flags, u8, u32 } from "./message.ts";

const deleteConnection = (1 << 8) | 2;
const inet = 2;
const reply = 2;
const filter = 25;
/** Of the reply: compare the source address and the protocol, nothing else. */
const compareSourceAndProtocol = (1 << 0) | (1 << 3);

/**
 * No connection of the protocol is answered by the address any more. Kernels that cannot filter here (before 6.10) say
 * EINVAL and forget nothing.
 */
export const encodeForget = (address: number, protocol: number): EncodedMessages =>
  encodeMessages([
    {
      type: deleteConnection,
      flags: flags.acknowledge,
      header: Uint8Array.of(inet, 0, 0, 0),
      attributes: [
        [
          reply,
          [
            [1, [[1, be32(address)]]],
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
