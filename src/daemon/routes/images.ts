/** Images: in, out, and what is there. */
import { PassThrough } from "node:stream";
import type { ProgressLine } from "../../api/answers.ts";
import { formatPlatform, isFor } from "../../api/platforms.ts";
import { imageInspectFor } from "../../api/versions.ts";
import { familiarName, parseName } from "../../image/reference.ts";
import { type Credentials, decodeCredentials } from "../../registry/credentials.ts";
import { imageAnswer } from "../answers/image.ts";
import type { Call, Handler } from "../call.ts";
import { daemonError } from "../errors.ts";
import { platformJson, platformText } from "../platforms.ts";
import { imageUsers } from "../services.ts";
import { type Answer, empty, failureOf, json, jsonType, stream } from "../wire.ts";

const nameOf = ({ values }: Call): string => values.name ?? "";

export const inspect: Handler = (call) =>
  json(imageInspectFor(call.version, imageAnswer(call.services.images.get(nameOf(call)))));

export const history: Handler = (call) => {
  const { images } = call.services;
  const [name, asked] = [nameOf(call), platformJson(call.query)];
  if (asked !== undefined && !isFor(images.get(name), asked))
    throw daemonError("otherPlatform", { name, asked: formatPlatform(asked) });
  return json(images.history(name));
};

export const tag: Handler = (call) => {
  const { services, query } = call;
  const [repository, version] = [query.text("repo"), query.text("tag")];
  const target = version === "" ? repository : `${repository}:${version}`;
  services.images.tag(nameOf(call), target);
  return empty(201);
};

export const remove: Handler = (call) => {
  const { services, query } = call;
  const removed = services.images.remove(nameOf(call), {
    force: query.flag("force"),
    noPrune: query.flag("noprune"),
    usedBy: imageUsers(services.containers),
  });
  return json(removed);
};

/** `docker load`: the archive is the body; what fails is told in the answer, which has begun by then. */
export const load: Handler = (call) => {
  const { services, request, signal, query } = call;
  const quiet = query.flag("quiet");
  const platform = platformJson(query);
  return progress(call, async (report) => {
    await services.images.load(request, {
      signal,
      ...(platform === undefined ? {} : { platform }),
      progress: (line) => {
        if (!quiet || line.progressDetail === undefined) report(line);
      },
    });
  });
};

/** `docker import` and `docker pull` share a route. */
export const create: Handler = (call) => {
  const { query } = call;
  const image = query.text("fromImage");
  if (image !== "") return pull(call, image, query.text("tag"));
  if (query.text("fromSrc") !== "-") throw daemonError("noImportUrl", {});
  return importRoot(call);
};

const importRoot = (call: Call): Answer => {
  const { services, request, query, signal } = call;
  const [repository, version, message] = [query.text("repo"), query.text("tag"), query.text("message")];
  const name = version === "" ? repository : `${repository}:${version}`;
  const platform = platformText(query);
  if (platform !== undefined && platform.os !== "linux") throw daemonError("otherSystem", {});
  return progress(call, async (report) => {
    const id = await services.images.importRoot(request, {
      ...(name === "" ? {} : { name }),
      ...(message === "" ? {} : { message }),
      changes: query.list("changes"),
      ...(platform === undefined ? {} : { architecture: platform.architecture }),
      ...(platform?.variant === undefined ? {} : { variant: platform.variant }),
      signal,
    });
    report({ status: id });
  });
};

/** Without a tag all of them are meant, as in Docker's API; its clients say `latest` themselves. */
const pull = (call: Call, image: string, version: string): Promise<Answer> => {
  const { services, query, signal } = call;
  const separator = version.includes(":") ? "@" : ":";
  const asked = parseName(version === "" ? image : `${image}${separator}${version}`);
  const platform = platformText(query);
  const allTags = asked.tag === undefined && asked.digest === undefined;
  const credentials = credentialsOf(call);
  return progressOrFailure(call, async (report) => {
    await services.pulls.pull(familiarName(asked), {
      ...(platform === undefined ? {} : { platform }),
      ...{ allTags, allPlatforms: query.flag("allPlatforms"), credentials, signal, progress: report },
    });
  });
};

const credentialsOf = ({ request }: Call): Credentials | undefined =>
  decodeCredentials(String(request.headers["x-registry-auth"] ?? ""));

type Report = (line: ProgressLine) => void;

/** As `progress`; what fails before there was anything to tell is answered with its status. */
const progressOrFailure = async (call: Call, work: (report: Report) => Promise<void>): Promise<Answer> => {
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
const progress = (call: Call, work: (report: Report) => Promise<void>): Answer => {
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
