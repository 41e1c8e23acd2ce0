/** Files of containers: archives out and in, and the whole of one. */
import { parseCommitConfig } from "../../container/request-parse.ts";
import { pathStatHeader } from "../answers/path-stat.ts";
import { hasBody, readJson } from "../body.ts";
import type { Call, Handler } from "../call.ts";
import { empty, json, stream, tarType } from "../wire.ts";

const idOf = ({ values }: Call): string => values.id ?? "";

export const stat: Handler = async (call) =>
  empty(200, pathStatHeader(await call.services.containers.copies.stat(idOf(call), call.query.text("path"))));

export const read: Handler = async (call) => {
  const { stat: found, archive } = await call.services.containers.copies.read(idOf(call), call.query.text("path"));
  return stream(tarType, archive, pathStatHeader(found));
};

export const write: Handler = async (call) => {
  const { services, query, request } = call;
  await services.containers.copies.write(idOf(call), query.text("path"), request, {
    keepsKinds: query.flag("noOverwriteDirNonDir"),
    asUser: query.flag("copyUIDGID"),
  });
  return empty(200);
};

export const changes: Handler = async (call) => {
  const found = await call.services.containers.commits.changes(idOf(call));
  return json(found.length === 0 ? null : found.map(({ path, kind }) => ({ Path: path, Kind: kind })));
};

export const commit: Handler = async ({ services, query, request }) => {
  const [repository, version] = [query.text("repo"), query.text("tag")];
  const name = version === "" ? repository : `${repository}:${version}`;
  const id = await services.containers.commits.commit(query.text("container"), {
    config: parseCommitConfig(hasBody(request) ? await readJson(request) : null),
    changes: query.list("changes"),
    ...(repository === "" ? {} : { name }),
    author: query.text("author"),
    comment: query.text("comment"),
    pause: query.flag("pause", true),
  });
  return json({ Id: id }, 201);
};

export const exportRoot: Handler = async (call) =>
  stream("application/octet-stream", await call.services.containers.copies.export(idOf(call)));
