/**
 * `node:fs`, loaded when it is first used: that costs the command line a millisecond, and most commands need no file.
 * Where a command is anyway sure to need one, an ordinary import does.
 */
export const files = (): typeof import("node:fs") => process.getBuiltinModule("node:fs");
