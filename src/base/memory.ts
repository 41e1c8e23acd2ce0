/** Memory that is given back by who is done with it, long before a collector would know. */

/** Small buffers may be parts of one that the runtime keeps for them, which is as large as this on Node. */
const sharedBytes = 64 * 1024;

/**
 * The memory behind bytes that nobody looks at any more is free afterwards. What was filled piece by piece is done with when
 * its last one is.
 */
export const release = ({ buffer, byteOffset, byteLength }: Uint8Array): void => {
  const isLast = byteOffset + byteLength === buffer.byteLength;
  if (isLast && buffer.byteLength > sharedBytes && buffer instanceof ArrayBuffer) buffer.transfer(0);
};
