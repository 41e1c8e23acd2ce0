/** Files of containers: archives out and in, and the whole of one. */
import { pathStatHeader } from "../answers/path-stat.ts";
import type { Call, Handler } from "../call.ts";
import { empty, stream, tarType } from "../wire.ts";

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

export const exportRoot: Handler = async (call) =>
  stream("application/octet-stream", await call.services.containers.copies.export(idOf(call)));
