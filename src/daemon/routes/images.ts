/** Images: in, out, and what is there. */
import type { ProgressLine } from "../../api/answers.ts";
import type { ImageId } from "../../base/ids.ts";
import { historyAnswer, imageAnswer } from "../answers/image.ts";
import type { Call, Handler } from "../call.ts";
import { daemonError } from "../errors.ts";
import type { Services } from "../services.ts";
import { type Answer, empty, encodeJson, failureOf, json, jsonType, stream } from "../wire.ts";

const nameOf = ({ values }: Call): string => values.name ?? "";

const tell = ({ events }: Services, action: string, id: ImageId, name: string): void =>
  events.tell({ type: "image", action, id, attributes: { name } });

export const inspect: Handler = (call) => json(imageAnswer(call.services.images.get(nameOf(call))));

export const history: Handler = (call) => json(call.services.images.history(nameOf(call)).map(historyAnswer));

export const tag: Handler = (call) => {
  const { services, query } = call;
  const { id } = services.images.get(nameOf(call));
  const [repository, version] = [query.text("repo"), query.text("tag")];
  const target = version === "" ? repository : `${repository}:${version}`;
  services.images.tag(nameOf(call), target);
  tell(services, "tag", id, target);
  return empty(201);
};

export const remove: Handler = (call) => {
  const { services, query } = call;
  const { id } = services.images.get(nameOf(call));
  const removed = services.images.remove(nameOf(call), {
    force: query.flag("force"),
    noPrune: query.flag("noprune"),
    usedBy: (image) =>
      services.containers
        .list()
        .filter((record) => record.image.id === image)
        .map((record) => ({ id: record.id, running: record.state.status === "running" })),
  });
  for (const item of removed) {
    if (item.Untagged !== undefined) tell(services, "untag", id, item.Untagged);
    if (item.Deleted !== undefined) tell(services, "delete", id, item.Deleted);
  }
  return json(removed);
};

/** `docker load`: the archive is the body; what fails is told in the answer, which has begun by then. */
export const load: Handler = (call) => {
  const { services, request, signal } = call;
  return progress(call, async function* () {
    for (const { id, names } of await services.images.load(request, { signal })) {
      if (names.length === 0) yield { stream: `Loaded image ID: ${id}\n` };
      for (const name of names) yield { stream: `Loaded image: ${name}\n` };
      tell(services, "load", id, names[0] ?? id);
    }
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
  const { services, request, query } = call;
  const [repository, version, message] = [query.text("repo"), query.text("tag"), query.text("message")];
  const name = version === "" ? repository : `${repository}:${version}`;
  return progress(call, async function* () {
    const id = await services.images.importRoot(request, {
      ...(name === "" ? {} : { name }),
      ...(message === "" ? {} : { message }),
      changes: query.list("changes"),
    });
    tell(services, "import", id, name || id);
    yield { status: id };
  });
};

const pull = (call: Call, image: string, version: string): Answer => {
  const separator = version.includes(":") ? "@" : ":";
  const asked = version === "" ? image : `${image}${separator}${version}`;
  if (call.services.images.find(asked) === undefined) throw daemonError("noPull", { name: asked });
  return progress(call, async function* () {
    yield { status: `${asked} is here already, and pier does not ask registries yet` };
  });
};

/** Lines of JSON, the last of them the error if there is one. */
const progress = (call: Call, work: () => AsyncGenerator<ProgressLine>): Answer => {
  const lines = async function* () {
    try {
      for await (const line of work()) yield `${JSON.stringify(line)}\r\n`;
    } catch (error) {
      if (call.signal.aborted) throw error;
      const { body } = failureOf(error, call.services.log, call.request.url?.split("?", 1)[0] ?? "");
      yield encodeJson({ errorDetail: { message: body.message }, error: body.message } satisfies ProgressLine);
    } finally {
      // A client that still sends would not read the answer.
      call.request.resume();
    }
  };
  return stream(jsonType, lines());
};
