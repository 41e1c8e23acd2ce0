/** How the progress of a build is shown: `--progress`, `-q`. */
import { cliError } from "../errors.ts";
import { printError } from "../streams/output.ts";
import { PlainProgress } from "./plain.ts";
import { type BuildStatus, BuildSteps, failedOutput, milliseconds } from "./steps.ts";

export interface BuildProgress extends Disposable {
  hear(status: BuildStatus): void;
  /** What the Dockerfile is warned of, for those who have not asked for silence. */
  warnings(): string;
  /** What has not been seen of the steps that failed. */
  unseen(): string;
}

const errorsAreTerminal = (): boolean => process.getBuiltinModule("node:tty").isatty(2);

export const openProgress = async (kind: string, name: string): Promise<BuildProgress> => {
  const steps = new BuildSteps();
  const unseen = (): string => failedOutput(steps.all);
  const close = (): void => {};
  const warnings = (): string => toldWarnings(steps.warnings);
  switch (kind === "auto" ? (errorsAreTerminal() ? "tty" : "plain") : kind) {
    case "quiet":
    case "none":
      return { hear: (status) => steps.hear(status), unseen, warnings: () => "", [Symbol.dispose]: close };
    case "plain": {
      const plain = new PlainProgress(printError, steps);
      return { hear: (status) => plain.hear(status), unseen: () => "", warnings, [Symbol.dispose]: close };
    }
    case "rawjson":
      return {
        hear: (status) => printError(`${encodeRaw(status)}\n`),
        unseen: () => "",
        warnings: () => "",
        [Symbol.dispose]: close,
      };
    case "tty": {
      if (!errorsAreTerminal()) throw cliError("noTerminalForProgress", {});
      const { BuildScreen } = await import("./screen.ts");
      const screen = new BuildScreen(name, steps);
      return {
        hear: (status) => screen.hear(status),
        unseen,
        warnings,
        [Symbol.dispose]: () => screen[Symbol.dispose](),
      };
    }
    default:
      throw cliError("unknownProgress", { kind });
  }
};

const toldWarnings = (warnings: readonly string[]): string => {
  if (warnings.length === 0) return "";
  const head = warnings.length === 1 ? "1 warning found" : `${warnings.length} warnings found`;
  return ["", ` ${head} (what they mean: --check):`, ...warnings.map((text) => ` - ${text}`), ""].join("\n");
};

const timeOf = (time: Parameters<typeof milliseconds>[0] | undefined): string | undefined =>
  time === undefined ? undefined : new Date(milliseconds(time)).toISOString();

/** A status as BuildKit's clients write it: one JSON text in a line. */
const encodeRaw = ({ vertexes, logs, warnings }: BuildStatus): string =>
  JSON.stringify({
    ...(vertexes.length === 0
      ? {}
      : {
          vertexes: vertexes.map((vertex) => ({
            ...{ digest: vertex!.digest, name: vertex!.name },
            ...{ started: timeOf(vertex!.started), completed: timeOf(vertex!.completed) },
            ...(vertex!.cached ? { cached: true } : {}),
            ...(vertex!.error === "" ? {} : { error: vertex!.error }),
          })),
        }),
    ...(logs.length === 0
      ? {}
      : {
          logs: logs.map((log) => ({
            ...{ vertex: log!.vertex, stream: log!.stream, data: Buffer.from(log!.msg).toString("base64") },
            timestamp: timeOf(log!.timestamp),
          })),
        }),
    ...(warnings.length === 0
      ? {}
      : {
          warnings: warnings.map((warning) => ({
            ...{ vertex: warning!.vertex, level: warning!.level, url: warning!.url },
            short: Buffer.from(warning!.short).toString("base64"),
          })),
        }),
  });
