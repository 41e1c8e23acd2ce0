/** How long tests wait for what should come at once, before they say that it does not. */

/** Under emulation, on a machine that others use too, everything takes ten to twenty times as long. */
const factor = process.env.PIER_VM === "1" ? 10 : 1;

/** So many milliseconds, on a machine of the usual speed. */
export const patience = (milliseconds: number): number => milliseconds * factor;
