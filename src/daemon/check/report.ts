/** What was found, for people and for programs. */
import { canRun, type Looked } from "./check.ts";

const columns = { state: 8, name: 24 } as const;
const indent = " ".repeat(2 + columns.state);

const stateOf = ({ check, finding }: Looked): string => {
  if (finding.works) return "ok";
  return check.needed ? "MISSING" : "missing";
};

const lineOf = (looked: Looked): string => {
  const { check, finding } = looked;
  const line = `  ${stateOf(looked).padEnd(columns.state)}${check.name.padEnd(columns.name)} ${finding.found}`;
  if (finding.works) return line;
  const remedy = finding.remedy === "" ? [] : [`${indent}try: ${finding.remedy}`];
  return [line, `${indent}for: ${check.serves}`, ...remedy].join("\n");
};

const conclude = (all: readonly Looked[]): string => {
  const missing = all.filter(({ finding }) => !finding.works);
  const needed = missing.filter(({ check }) => check.needed);
  if (needed.length > 0) return `pier cannot run here: ${needed.map(({ check }) => check.name).join(", ")}`;
  if (missing.length === 0) return "pier can run here, and lacks nothing";
  return `pier can run here, without: ${missing.map(({ check }) => check.name).join(", ")}`;
};

export const formatText = (all: readonly Looked[]): string => {
  const topics = Map.groupBy(all, ({ topic }) => topic);
  const parts = [...topics].map(([topic, looked]) => [topic, ...looked.map(lineOf)].join("\n"));
  return `${[...parts, conclude(all)].join("\n\n")}\n`;
};

/** One document: `canRun`, and each check with what was found. */
export const formatJson = (all: readonly Looked[]): string => {
  const checks = all.map(({ topic, check: { name, needed, serves }, finding }) => ({
    ...{ topic, name, needed, serves },
    ...finding,
  }));
  return `${JSON.stringify({ canRun: canRun(all), checks }, undefined, 2)}\n`;
};
