/** What is wrong with a template, in the words of Go's text/template. */
export class TemplateError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "TemplateError";
  }
}

/** What a function of a template says; who called it adds the place. */
export class CallError extends Error {}
