/** The firewalls of others, each by its own door. */
import { closeIptables, openIptables } from "./doors.ts";
import { closeFirewalld, openFirewalld } from "./firewalld.ts";

/** Holds afterwards: they let the bridges pass whose names begin so, as far as that is possible without moving a rule. */
export const openDoors = async (prefix: string): Promise<void> => {
  await openIptables(prefix);
  await openFirewalld(prefix);
};

/** Holds afterwards: nothing of it is left. */
export const closeDoors = async (prefix: string): Promise<void> => {
  await closeIptables(prefix);
  await closeFirewalld(prefix);
};
