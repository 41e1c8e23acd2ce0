/** `pier build explain`: why the steps of the last build were made anew, and what they waited for. */
import type { BuildExplainAnswer } from "../../api/answers/builds.ts";
import { formatAgo } from "../output/times.ts";
import { harmless, print } from "../streams/output.ts";
import { textWidth } from "../streams/terminal.ts";

type Step = BuildExplainAnswer["Steps"][number];

const seconds = (milliseconds: number): string => `${(milliseconds / 1000).toFixed(1)}s`;
const barWidth = 24;
/** Milliseconds. */
const worthSaying = 50;

export const printExplanation = (answer: BuildExplainAnswer): void => {
  for (const line of explanationLines(answer, textWidth(), Date.now())) print(`${harmless(line)}\n`);
};

export const explanationLines = (answer: BuildExplainAnswer, columns: number, now: number): readonly string[] => {
  const { Names, Began, Milliseconds, Error: error, Steps } = answer;
  const what = Names.length === 0 ? "" : ` of ${Names.join(", ")}`;
  const end = error === "" ? `took ${seconds(Milliseconds)}` : `failed after ${seconds(Milliseconds)}: ${error}`;
  return [
    `The build${what}, ${formatAgo(Math.trunc(Date.parse(Began) / 1000), now)}, ${end}.`,
    "",
    ...Steps.flatMap(stepLines),
    "",
    ...timeline(Steps, Milliseconds, columns),
  ];
};

const stepLines = ({ Name, Why, Began, Ended, Cached, Waits }: Step): readonly string[] => [
  `${seconds(Ended - Began).padStart(7)}  ${Name.replaceAll("\n", " ")}`,
  ...(Why === "" ? [] : [`         ${Cached ? Why : `made anew: ${Why}`}`]),
  ...Waits.filter(({ Milliseconds }) => Milliseconds >= worthSaying).map(
    ({ For, Milliseconds }) => `         waited ${seconds(Milliseconds)} for ${For}`,
  ),
];

/** A bar for each step in the time of the whole build; where it waited before it began, dots. */
const timeline = (steps: readonly Step[], whole: number, columns: number): readonly string[] => {
  const room = Math.max(10, columns - barWidth - 4);
  const at = (milliseconds: number): number =>
    Math.min(barWidth, Math.max(0, Math.round((milliseconds / Math.max(whole, 1)) * barWidth)));
  return steps.map(({ Name, Began, Ended, Waits }) => {
    const waited = Waits.reduce((sum, { Milliseconds }) => sum + Milliseconds, 0);
    const [from, begun, to] = [at(Began - waited), at(Began), at(Ended)];
    const bar = `${" ".repeat(from)}${"·".repeat(begun - from)}${"█".repeat(Math.max(to - begun, 1))}`;
    return `|${bar.slice(0, barWidth).padEnd(barWidth)}| ${Name.replaceAll("\n", " ").slice(0, room)}`;
  });
};
