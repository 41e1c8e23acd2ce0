/** Answers that tell how the work goes on while it is being done. */
import { PassThrough } from "node:stream";
import type { ProgressLine } from "../api/answers/images.ts";
import type { Call } from "./call.ts";
import { type Answer, failureOf, jsonType, stream } from "./wire.ts";

type Report = (line: ProgressLine) => void;

/** As `progress`; what fails before there was anything to tell is answered with its status. */
export const progressOrFailure = async (call: Call, work: (report: Report) => Promise<void>): Promise<Answer> => {
  const begun = Promise.withResolvers<void>();
  let hasBegun = false;
  const answer = progress(call, async (report) => {
    try {
      await work((line) => {
        hasBegun = true;
        begun.resolve();
        report(line);
      });
      begun.resolve();
    } catch (error) {
      if (hasBegun) throw error;
      begun.reject(error);
    }
  });
  await begun.promise;
  return answer;
};

/** Lines of JSON while the work is being done, the last of them its error if there is one. */
export const progress = (call: Call, work: (report: Report) => Promise<void>): Answer => {
  const lines = new PassThrough();
  const report = (line: ProgressLine): void => void lines.write(`${JSON.stringify(line)}\r\n`);
  const done = async (): Promise<void> => {
    try {
      await work(report);
    } catch (error) {
      // Whoever has gone is why, and reads nothing any more.
      if (call.signal.aborted) return void lines.destroy();
      const { body } = failureOf(error, call.services.log, "the work of a progress answer");
      report({ errorDetail: { message: body.message }, error: body.message });
    }
    lines.end();
    // A client that is still sending would not read the answer.
    call.request.resume();
  };
  void done();
  return stream(jsonType, lines);
};
