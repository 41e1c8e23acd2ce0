/** Images from and to registries, and roots that become images. */
import { familiarName, parseName } from "../../image/reference.ts";
import { type Credentials, decodeCredentials } from "../../registry/credentials.ts";
import type { Call, Handler } from "../call.ts";
import { daemonError } from "../errors.ts";
import { platformJson, platformText } from "../platforms.ts";
import { progress, progressOrFailure } from "../progress.ts";
import type { Answer } from "../wire.ts";

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

export const credentialsOf = ({ request }: Call): Credentials | undefined =>
  decodeCredentials(String(request.headers["x-registry-auth"] ?? ""));

/** Without a tag every tag of the repository is meant. */
export const push: Handler = (call) => {
  const { services, query, signal, values } = call;
  const [name, tag] = [values.name ?? "", query.text("tag")];
  const reference = tag === "" ? name : `${name}:${tag}`;
  const platform = platformJson(query);
  parseName(reference);
  const credentials = credentialsOf(call);
  return progressOrFailure(call, (report) =>
    services.pushes.push(reference, {
      ...(platform === undefined ? {} : { platform }),
      ...(query.flag("allPlatforms") ? { allPlatforms: true } : {}),
      ...{ credentials, signal, progress: report },
    }),
  );
};
