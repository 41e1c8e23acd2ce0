/** What is wrong with a template, in the words of Go's text/template. */
export class TemplateError extends Error {
  /** What had been written before. */
  readonly written: string;

  constructor(message: string, written = "") {
    super(message);
    this.name = "TemplateError";
    this.written = written;
  }
}

/** What a function of a template says; who called it adds the place. */
export class CallError extends Error {}
