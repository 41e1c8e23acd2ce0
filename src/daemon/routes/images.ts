/** Images: in, out, and what is there. */
import { imageInspectFor } from "../../api/versions.ts";
import { imageAnswer } from "../answers/image.ts";
import type { Call, Handler } from "../call.ts";
import { platformJson, platformsJson } from "../platforms.ts";
import { progress } from "../progress.ts";
import { imageUsers, type Services } from "../services.ts";
import { type Answer, empty, encodeJson, json, jsonType, stream } from "../wire.ts";

const nameOf = ({ values }: Call): string => values.name ?? "";

export const inspect: Handler = async (call) => {
  const image = await call.services.images.forPlatform(nameOf(call), platformJson(call.query));
  return json(imageInspectFor(call.version, imageAnswer(image)));
};

export const history: Handler = async (call) => {
  const { images } = call.services;
  const { id } = await images.forPlatform(nameOf(call), platformJson(call.query));
  return json(images.history(id));
};

export const tag: Handler = (call) => {
  const { services, query } = call;
  const [repository, version] = [query.text("repo"), query.text("tag")];
  const target = version === "" ? repository : `${repository}:${version}`;
  services.images.tag(nameOf(call), target);
  return empty(201);
};

export const remove: Handler = async (call) => {
  const { services, query } = call;
  const { images, containers } = services;
  // Images know no parents here: with `noprune` and without there is nothing to prune.
  const options = { force: query.flag("force"), usedBy: imageUsers(containers) };
  const platforms = platformsJson(query, "platforms");
  if (platforms.length === 0) return json(images.remove(nameOf(call), options));
  return json(await images.removePlatforms(nameOf(call), platforms, options));
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

export const save: Handler = (call) => archive(call, [nameOf(call)]);

export const saveAll: Handler = (call) =>
  archive(
    call,
    call.query.list("names").flatMap((names) => names.split(",")),
  );

/** What is wrong is answered before the first byte of the archive. */
const archive = async ({ services, query }: Call, names: readonly string[]): Promise<Answer> => {
  const platform = platformJson(query);
  const options = { ...(platform === undefined ? {} : { platform }), allPlatforms: query.flag("allPlatforms") };
  return stream("application/x-tar", await services.images.save(names, options));
};

/** A line for each thing that is damaged, as it is found. */
export const check: Handler = ({ services, signal }) => stream(jsonType, damageLines(services, signal));

async function* damageLines({ images, database }: Services, signal: AbortSignal) {
  const problem = database.problem();
  if (problem !== undefined) yield encodeJson({ kind: "database", digest: "", reason: problem });
  for await (const damage of images.check(signal)) yield encodeJson(damage);
}
