/** A few lines to standard error: what the daemon did and what went wrong, never what a client sent. */

export const logLevels = ["debug", "info", "warn", "error"] as const;
export type LogLevel = (typeof logLevels)[number];

export const isLogLevel = (text: string): text is LogLevel => logLevels.some((level) => level === text);

/** Names and messages come from clients: one entry stays one line, and no terminal obeys it. */
const escapeControls = (text: string): string =>
  text.replace(/[\u0000-\u001f\u007f-\u009f]/g, (control) =>
    control === "\n" ? "\\n" : `\\x${control.charCodeAt(0).toString(16).padStart(2, "0")}`,
  );

export class Log {
  #least: number;
  readonly #write: (line: string) => void;

  constructor(least: LogLevel = "info", write: (line: string) => void = (line) => void process.stderr.write(line)) {
    this.#least = logLevels.indexOf(least);
    this.#write = write;
  }

  get level(): LogLevel {
    return logLevels[this.#least]!;
  }
  /** From now on that much is said. */
  set level(least: LogLevel) {
    this.#least = logLevels.indexOf(least);
  }

  debug(message: string): void {
    this.#line("debug", message);
  }

  info(message: string): void {
    this.#line("info", message);
  }

  warn(message: string, cause?: unknown): void {
    this.#line("warn", message, cause);
  }

  error(message: string, cause?: unknown): void {
    this.#line("error", message, cause);
  }

  #line(level: LogLevel, message: string, cause?: unknown): void {
    if (logLevels.indexOf(level) < this.#least) return;
    const text = cause === undefined ? message : `${message}: ${describe(cause)}`;
    this.#write(`${new Date().toISOString()} ${level} ${escapeControls(text)}\n`);
  }
}

/** The whole chain of causes, each with its stack: nobody can ask again. */
const describe = (error: unknown): string => {
  if (!(error instanceof Error)) return String(error);
  const text = error.stack ?? error.message;
  return error.cause === undefined ? text : `${text} caused by ${describe(error.cause)}`;
};
