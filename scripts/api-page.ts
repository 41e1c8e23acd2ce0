/** `docs/api.md`: every operation of Docker's API, and what becomes of it here, read from the routes. */
import { operations } from "../src/api/operations.ts";
import { matchRoute, type Route, routes } from "../src/api/routes.ts";
import { maxVersion, minVersion } from "../src/api/versions.ts";
import { swarmHandlers } from "../src/daemon/routes/swarm.ts";

/** What an engine answers that is in no swarm and has no plugins is an answer too. */
const stateOf = (method: string, path: string): string => {
  const name = matchRoute(method, path.replace(/\{\w+\}/g, "x"))?.name;
  if (name === undefined) return "**unknown** (404)";
  const { later }: Route = routes[name];
  if (later !== undefined) return `refused (501): ${later}`;
  return name in swarmHandlers ? "as an engine outside of a swarm, without plugins" : "served";
};

const section = ([group, rows]: readonly [string, readonly (readonly [string, string])[]]): string =>
  `## ${group}\n\n| operation | state |\n|---|---|\n${rows
    .map(([method, path]) => `| \`${method} ${path}\` | ${stateOf(method, path)} |`)
    .join("\n")}\n`;

export const apiPage = (): string => `# The API

Generated from the routes (\`src/api/routes.ts\`) by \`npm run generate\`. The reference is the Docker Engine API
${maxVersion}; versions ${minVersion} to ${maxVersion} are spoken, and what differs between them is in \`src/api/versions.ts\`.

${Object.entries(operations).map(section).join("\n")}`;
