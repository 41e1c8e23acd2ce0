/** Networks: the routes under /networks. */
import type { NetworkAnswer } from "../../api/answers/networks.ts";
import { boolean, nullable, object, string } from "../../api/shape.ts";
import { parseAttachment } from "../../container/request-attachments.ts";
import { endpoint } from "../../container/request-body.ts";
import { parseCreateNetwork } from "../../network/create.ts";
import { networkError } from "../../network/errors.ts";
import { defaultNetwork } from "../../network/record.ts";
import { isBuiltIn, networkAnswers } from "../answers/network.ts";
import { hasBody, readJson } from "../body.ts";
import type { Call, Handler } from "../call.ts";
import { daemonError } from "../errors.ts";
import { Filters } from "../filters.ts";
import type { Services } from "../services.ts";
import { untilOf } from "../until.ts";
import { empty, json } from "../wire.ts";

const answers = ({ networks, containers }: Services): readonly NetworkAnswer[] =>
  networkAnswers(networks, containers.list());

/** Those that came with pier: none of them can be removed. */
const isOurs = ({ Name }: NetworkAnswer): boolean => Name === defaultNetwork || isBuiltIn(Name);
const isUsed = ({ Containers }: NetworkAnswer): boolean => Object.keys(Containers).length > 0;

const truth = (name: string, value: string): boolean => {
  if (/^(1|t|true)$/i.test(value)) return true;
  if (/^(0|f|false)$/i.test(value)) return false;
  throw daemonError("invalidFilterValue", { name, value: value.slice(0, 100) });
};

const isOfType = (network: NetworkAnswer, type: string): boolean => {
  if (type !== "builtin" && type !== "custom") throw daemonError("invalidFilterValue", { name: "type", value: type });
  return isOurs(network) === (type === "builtin");
};

export const list: Handler = ({ services, query }) => {
  const filters = Filters.parse(query.text("filters"), ["dangling", "driver", "id", "label", "name", "scope", "type"]);
  const [name, id] = [filters.patterns("name"), filters.patterns("id")];
  const found = answers(services).filter(
    (network) =>
      name(network.Name) &&
      id(network.Id) &&
      filters.some("driver", (value) => network.Driver === value) &&
      filters.some("scope", (value) => network.Scope === value) &&
      filters.labels(network.Labels) &&
      filters.some("type", (value) => isOfType(network, value)) &&
      filters.some("dangling", (value) => truth("dangling", value) === (!isOurs(network) && !isUsed(network))),
  );
  // The list does not say who is connected (since API 1.28).
  return json(found.map((network) => ({ ...network, Containers: {} })));
};

/** By id, name or an unambiguous beginning of the id. */
const find = (services: Services, name: string): NetworkAnswer => {
  const all = answers(services);
  const exact = all.find(({ Id }) => Id === name) ?? all.find(({ Name }) => Name === name);
  const found = exact === undefined ? all.filter(({ Id }) => Id.startsWith(name)) : [exact];
  if (found.length > 1) throw networkError("ambiguousNetwork", { name, count: found.length });
  if (found[0] === undefined) throw networkError("noSuchNetwork", { name });
  return found[0];
};

const referenceOf = ({ values }: Call): string => values.id ?? "";

export const inspect: Handler = (call) => json(find(call.services, referenceOf(call)));

export const create: Handler = async ({ services, request }) => {
  const asked = parseCreateNetwork(hasBody(request) ? await readJson(request) : undefined);
  const network = await services.memberships.create(asked);
  return json({ Id: network.id, Warning: "" }, 201);
};

export const remove: Handler = async (call) => {
  const { Name: name, Id: id } = find(call.services, referenceOf(call));
  if (isBuiltIn(name)) throw networkError("notRemovable", { name });
  await call.services.memberships.remove(id);
  return empty();
};

/** What nobody is connected to goes. */
export const prune: Handler = async ({ services, query }) => {
  const filters = Filters.parse(query.text("filters"), ["label", "label!", "until"]);
  const until = untilOf(filters, Date.now());
  const unused = answers(services).filter(
    (network) =>
      !isOurs(network) &&
      !isUsed(network) &&
      filters.prunes(network.Labels) &&
      (until === undefined || Date.parse(network.Created) < until),
  );
  const deleted: string[] = [];
  for (const { Id, Name } of unused) {
    // Somebody may have come into it, or removed it, meanwhile.
    const isGone = await services.memberships.remove(Id).then(
      () => true,
      () => false,
    );
    if (isGone) deleted.push(Name);
  }
  return json({ NetworksDeleted: deleted.length === 0 ? null : deleted });
};

const connectBody = object({ Container: string, EndpointConfig: nullable(endpoint) });
const disconnectBody = object({ Container: string, Force: boolean });

/** The network is one that containers can come into and leave. */
const findOurs = (call: Call): NetworkAnswer => {
  const network = find(call.services, referenceOf(call));
  if (network.Name === "host") throw networkError("notHost", {});
  return network;
};

export const connect: Handler = async (call) => {
  const body = connectBody(await readJson(call.request), "");
  const { Name } = findOurs(call);
  await call.services.memberships.connect(parseAttachment(Name, body.EndpointConfig), body.Container);
  return empty(200);
};

export const disconnect: Handler = async (call) => {
  const body = disconnectBody(await readJson(call.request), "");
  const { Id, Name } = findOurs(call);
  await call.services.memberships.disconnect(isBuiltIn(Name) ? Name : Id, body.Container);
  return empty(200);
};
