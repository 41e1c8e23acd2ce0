/** The C header that the keeper is compiled with, made from the tables of steps and messages. */
import { planMagic, planVersion, slotLimit } from "./encode.ts";
import { attachFlags, daemonSays, keeperSays, phases, protocolVersion } from "./messages.ts";
import { namesMagic, namesVersion, ownTypes } from "./name-table.ts";
import {
  type ArgumentKind,
  laneCodes,
  points,
  type StepDefinition,
  stdinKinds,
  stdioKinds,
  stepTable,
  syslogFormats,
} from "./steps.ts";
import { treeKinds, treeMagic, treeVersion } from "./tree-list.ts";

const kindLetters: Record<ArgumentKind, string> = {
  number: "n",
  slot: "s",
  slotOrNone: "o",
  text: "t",
  bytes: "b",
  texts: "T",
  numbers: "N",
};

const snake = (name: string): string => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
const constant = (name: string): string => snake(name).toUpperCase();

const enumOf = (prefix: string, values: Readonly<Record<string, number>>): string =>
  `enum {\n${Object.entries(values)
    .map(([name, value]) => `  ${prefix}_${constant(name)} = ${value},\n`)
    .join("")}};\n`;

/** The text of `keeper/steps.h`. */
export const keeperHeader = (): string => {
  const steps = Object.entries(stepTable) as [string, StepDefinition][];
  const rows = steps.map(([name, { code, lanes, args }]) => {
    const letters = Object.values(args).map((kind) => kindLetters[kind]);
    const mask = lanes.reduce((sum, lane) => sum | (1 << laneCodes[lane]), 0);
    return `  X(${code}, ${snake(name)}, "${letters.join("")}", ${mask})`;
  });
  const argumentsOf = steps
    .filter(([, { args }]) => Object.keys(args).length > 0)
    .map(([name, { args }]) => {
      const names = Object.keys(args).map((arg) => `${constant(name)}_${constant(arg)}`);
      return `enum { ${names.join(", ")} };\n`;
    });
  return `/* Generated from src/kernel/steps.ts and src/kernel/messages.ts by \`npm run generate\`; do not edit. */
#pragma once

#define PLAN_MAGIC "${planMagic}"
#define PLAN_VERSION ${planVersion}
#define PROTOCOL_VERSION ${protocolVersion}
#define SLOT_LIMIT ${slotLimit}
#define TREE_MAGIC "${treeMagic}"
#define TREE_VERSION ${treeVersion}
#define NAMES_MAGIC "${namesMagic}"
#define NAMES_VERSION ${namesVersion}
#define STEP_LIMIT ${Math.max(...steps.map(([, { code }]) => code)) + 1}

/* code, name, kinds of the arguments (number, slot, slot or none, text, bytes, list of Texts, list of Numbers), lanes as bits */
#define STEPS(X) \\
${rows.join(" \\\n")}

${argumentsOf.join("")}
${enumOf("LANE", laneCodes)}
${enumOf("POINT", points)}
${enumOf("STDIO", stdioKinds)}
${enumOf("STDIN", stdinKinds)}
${enumOf("SYSLOG", syslogFormats)}
${enumOf("SAY", keeperSays)}
${enumOf("ASK", daemonSays)}
${enumOf("ATTACH", attachFlags)}
${enumOf("PHASE", phases)}
${enumOf("TREE", treeKinds)}
${enumOf("NAMES", ownTypes)}`;
};
