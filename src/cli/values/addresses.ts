/** Addresses as flags take them. */

/** Loaded when an address is looked at: it takes 4 ms, and most commands have none. */
const isIP = (text: string): number => process.getBuiltinModule("node:net").isIP(text);

/** An IPv4 or IPv6 address without a zone, as Go's net.ParseIP takes it. */
export const isAddress = (text: string): boolean => isIP(text) !== 0 && !text.includes("%");

/** The shortest form of an address that `isAddress`. */
export const shortestAddress = (text: string): string => {
  if (isIP(text) !== 6) return text;
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(text);
  return mapped?.[1] ?? new URL(`http://[${text}]`).hostname.slice(1, -1);
};

const byColons = /^[0-9a-f]{2}(:[0-9a-f]{2}){5}(([0-9a-f:]{3}){2}|([0-9a-f:]{3}){14})?$/i;

/** EUI-48, EUI-64 and InfiniBand addresses in the notations of Go's net.ParseMAC. */
export const isHardwareAddress = (text: string): boolean => {
  const colons = text.includes(".")
    ? /^[0-9a-f]{4}(\.[0-9a-f]{4})+$/i.test(text)
      ? text.replaceAll(".", "").replace(/..(?=.)/g, "$&:")
      : ""
    : text.includes("-")
      ? /^[^:]*$/.test(text)
        ? text.replaceAll("-", ":")
        : ""
      : text;
  return byColons.test(colons);
};
