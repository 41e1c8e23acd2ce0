/** Networks, as far as there are any. */
import type { NetworkAnswer } from "../../api/answers.ts";
import { networkAnswers } from "../answers/network.ts";
import type { Handler } from "../call.ts";
import { daemonError } from "../errors.ts";
import { Filters } from "../filters.ts";
import type { Services } from "../services.ts";
import { json } from "../wire.ts";

const answers = ({ networks, containers }: Services): readonly NetworkAnswer[] =>
  networkAnswers(networks, containers.list());

export const networkList: Handler = ({ services, query }) => {
  const filters = Filters.parse(query.text("filters"), ["dangling", "driver", "id", "label", "name", "scope", "type"]);
  const [name, id] = [filters.patterns("name"), filters.patterns("id")];
  const found = answers(services).filter(
    (network) =>
      name(network.Name) &&
      id(network.Id) &&
      filters.some("driver", (value) => network.Driver === value) &&
      filters.some("scope", (value) => network.Scope === value) &&
      filters.labels(network.Labels) &&
      // The default network and the kernel's own: all of them came with pier, and none can be pruned.
      filters.some("type", (value) => value === "builtin") &&
      filters.some("dangling", (value) => value === "false" || value === "0"),
  );
  // The list does not say who is connected (since API 1.28).
  return json(found.map((network) => ({ ...network, Containers: {} })));
};

/** By id, name or an unambiguous beginning of the id. */
export const networkInspect: Handler = ({ services, values }) => {
  const name = values.id ?? "";
  const all = answers(services);
  const exact = all.find(({ Id, Name }) => Id === name || Name === name);
  const found = exact === undefined ? all.filter(({ Id }) => Id.startsWith(name)) : [exact];
  if (found.length > 1) throw daemonError("ambiguousNetwork", { name, count: found.length });
  if (found[0] === undefined) throw daemonError("noSuchNetwork", { name });
  return json(found[0]);
};
