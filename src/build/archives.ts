/** Whether bytes begin like a tar archive: by the checksum of its first header, never by a name. */

const blockSize = 512;
const checksumStart = 148;
const checksumEnd = 156;

export const isTarHeader = (head: Uint8Array): boolean => {
  if (head.length < blockSize) return false;
  const text = Buffer.from(head.subarray(checksumStart, checksumEnd))
    .toString("latin1")
    .replace(/[\0 ]+$/, "")
    .trim();
  if (!/^[0-7]{1,7}$/.test(text)) return false;
  let sum = 0;
  for (let at = 0; at < blockSize; at++) sum += at >= checksumStart && at < checksumEnd ? 0x20 : head[at]!;
  return sum === Number.parseInt(text, 8);
};
