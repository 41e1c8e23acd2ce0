/** `docs/steps.md`: the table of steps for people. */
import { type StepDefinition, stepTable } from "./steps.ts";

export const stepsPage = (): string => {
  const rows = (Object.entries(stepTable) as [string, StepDefinition][]).map(([name, { code, lanes, args, does }]) => {
    const parameters = Object.entries(args).map(([arg, kind]) => `${arg}: ${kind}`);
    return `| ${code} | \`${name}\` | ${lanes.join(", ")} | ${parameters.join("; ")} | ${does} |`;
  });
  return `# The steps

Generated from \`src/kernel/steps.ts\` by \`npm run generate\`. A plan is three lists of these; the keeper runs them in
order and answers with the number of the first one that fails and the kernel's error number.

| code | step | lanes | arguments | what holds afterwards |
|---|---|---|---|---|
${rows.join("\n")}
`;
};
