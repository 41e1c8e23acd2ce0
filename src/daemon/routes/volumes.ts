/** Volumes: the routes under /volumes. */
import type { VolumeAnswer } from "../../api/answers/volumes.ts";
import { map, nullable, object, string } from "../../api/shape.ts";
import { isAtLeast } from "../../api/versions.ts";
import { newContainerId } from "../../base/ids.ts";
import { anonymousLabel, isAnonymous, localDriver, type VolumeRecord } from "../../volume/record.ts";
import { volumeAnswer } from "../answers/volume.ts";
import { hasBody, readJson } from "../body.ts";
import type { Call, Handler } from "../call.ts";
import { daemonError } from "../errors.ts";
import { Filters } from "../filters.ts";
import { empty, json } from "../wire.ts";

const nameOf = ({ values }: Call): string => values.id ?? "";

const texts = map(string);
const createBody = object({
  Name: string,
  Driver: string,
  DriverOpts: nullable(texts),
  Labels: nullable(texts),
});

export const create: Handler = async ({ services, request }) => {
  const asked = createBody(hasBody(request) ? await readJson(request) : undefined, "");
  const name = asked.Name || newContainerId();
  const given = asked.Name === "" ? { ...asked.Labels, [anonymousLabel]: "" } : asked.Labels;
  const { record } = await services.volumes.create({
    name,
    driver: asked.Driver || localDriver,
    labels: orNone(given),
    options: orNone(asked.DriverOpts),
  });
  return json(answerOf(record, services), 201);
};

/** Clients send empty objects for what nobody asked for; Docker keeps the difference to itself. */
const orNone = (given: Readonly<Record<string, string>> | null) =>
  given === null || Object.keys(given).length === 0 ? null : given;

const answerOf = (record: VolumeRecord, { volumes }: Call["services"]): VolumeAnswer =>
  volumeAnswer(record, volumes.mountpoint(record.name));

export const inspect: Handler = (call) => json(answerOf(call.services.volumes.get(nameOf(call)), call.services));

export const list: Handler = ({ services, query }) => {
  const filters = Filters.parse(query.text("filters"), ["dangling", "driver", "label", "name"]);
  const dangling = filters.get("dangling").map(truth("dangling"));
  const isNamed = filters.patterns("name");
  const found = services.volumes
    .list()
    .filter(
      ({ name, labels }) =>
        isNamed(name) &&
        filters.some("driver", (driver) => driver === localDriver) &&
        filters.labels(labels ?? {}) &&
        (dangling.length === 0 || dangling.includes(services.containers.volumeUsers(name).length === 0)),
    );
  return json({ Volumes: found.map((record) => answerOf(record, services)), Warnings: null });
};

const truth =
  (name: string) =>
  (value: string): boolean => {
    if (/^(1|t|true)$/i.test(value)) return true;
    if (/^(0|f|false)$/i.test(value)) return false;
    throw daemonError("invalidFilterValue", { name, value: value.slice(0, 100) });
  };

export const remove: Handler = async (call) => {
  const { services, query } = call;
  const name = nameOf(call);
  if (query.flag("force") && services.volumes.find(name) === undefined) return empty();
  await services.volumes.remove(name, (one) => services.containers.volumeUsers(one));
  return empty();
};

/** What nobody uses goes; what somebody gave a name only where all are asked for, as from API 1.42 on. */
export const prune: Handler = async ({ services, query, version }) => {
  const filters = Filters.parse(query.text("filters"), ["all", "label", "label!"]);
  const all = filters.has("all") ? filters.get("all").some(truth("all")) : !isAtLeast(version, "1.42");
  const users = (name: string) => services.containers.volumeUsers(name);
  const unused = services.volumes
    .list()
    .filter(
      (record) =>
        (all || isAnonymous(record)) && users(record.name).length === 0 && filters.prunes(record.labels ?? {}),
    );
  const sizes = await services.volumes.sizes(unused.map(({ name }) => name));
  const deleted: string[] = [];
  let reclaimed = 0;
  for (const [index, { name }] of unused.entries()) {
    // Somebody may have taken it meanwhile.
    const isGone = await services.volumes.remove(name, users).then(
      () => true,
      () => false,
    );
    if (!isGone) continue;
    deleted.push(name);
    reclaimed += sizes[index] ?? 0;
  }
  services.events.tell({ type: "volume", action: "prune", id: "", attributes: { reclaimed: String(reclaimed) } });
  return json({ VolumesDeleted: deleted, SpaceReclaimed: reclaimed });
};
