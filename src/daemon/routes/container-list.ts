/** `GET /containers/json`: which containers, in Docker's order and by its filters (moby, daemon/list.go). */
import type { ContainerStatus } from "../../api/answers/containers.ts";
import { namesAmong } from "../../container/links.ts";
import type { ContainerRecord } from "../../container/record.ts";
import { isUp, wordOf } from "../../container/state.ts";
import { exposedPorts } from "../answers/config.ts";
import { summaryAnswer } from "../answers/container.ts";
import { mountPoints } from "../answers/mounts.ts";
import { endpointAnswers, portSummaries } from "../answers/network.ts";
import { exitCodeOf } from "../answers/state.ts";
import type { Handler } from "../call.ts";
import { daemonError } from "../errors.ts";
import { Filters } from "../filters.ts";
import type { Services } from "../services.ts";
import { json } from "../wire.ts";

const allowed =
  "ancestor before exited expose health id is-task isolation label name network publish since status volume".split(" ");

export const list: Handler = async ({ services, query }) => {
  const filters = Filters.parse(query.text("filters"), allowed);
  const limit = query.integer("limit") ?? -1;
  const all = query.flag("all") || limit > 0 || filters.has("status");
  const tests = testsOf(filters, services);
  const records = services.containers.list();
  const names = namesAmong(records);
  const found = records.filter((record) => (all || isUp(record.state)) && tests.every((test) => test(record)));
  const now = Date.now();
  const shown = limit > 0 ? found.slice(0, limit) : found;
  const sizes = query.flag("size") ? await services.containers.sizes(shown) : [];
  return json(
    shown.map((record, index) => ({
      ...summaryAnswer(record, names(record), services, now),
      ...sizeAnswer(sizes[index]),
    })),
  );
};

/** Docker leaves out what is 0. */
const sizeAnswer = (size: { readonly written: number; readonly whole: number } | undefined) => ({
  ...(size === undefined || size.written === 0 ? {} : { SizeRw: size.written }),
  ...(size === undefined || size.whole === 0 ? {} : { SizeRootFs: size.whole }),
});

type Test = (record: ContainerRecord) => boolean;

const testsOf = (filters: Filters, services: Services): readonly Test[] => {
  const name = filters.patterns("name");
  const id = filters.patterns("id");
  return [
    (record) => name(record.name) || name(`/${record.name}`),
    (record) => id(record.id),
    ({ request }) => filters.labels(request.labels),
    statusTest(filters),
    exitedTest(filters),
    ...orderTests(filters, services),
    ancestorTest(filters, services),
    (record) =>
      filters.some("network", (value) =>
        Object.entries(endpointAnswers(record, services.networks)).some(
          ([network, { NetworkID }]) => network === value || NetworkID?.startsWith(value),
        ),
      ),
    ({ request }) =>
      filters.some("volume", (value) =>
        mountPoints(request, services).some(({ Name, Destination, Source }) =>
          [Name, Destination, Source].includes(value),
        ),
      ),
    portTest(filters, "expose", ({ request }) => exposedPorts(request)),
    portTest(filters, "publish", (record) =>
      portSummaries(record).flatMap(({ PublicPort, Type }) => (PublicPort ? [`${PublicPort}/${Type}`] : [])),
    ),
    ({ health }) => filters.some("health", (value) => healthWord(value) === (health?.status ?? "none")),
    // Nothing here is a swarm's task, and Linux knows one isolation.
    () => filters.some("is-task", (value) => !truth(value)),
    () => filters.some("isolation", (value) => value === "default"),
  ];
};

const statuses: readonly ContainerStatus[] = [
  "created",
  "running",
  "paused",
  "restarting",
  "removing",
  "exited",
  "dead",
];

const checked = (name: string, value: string, isValid: boolean): string => {
  if (!isValid) throw daemonError("invalidFilterValue", { name, value: value.slice(0, 100) });
  return value;
};

const healthWord = (value: string): string =>
  checked("health", value, ["none", "starting", "healthy", "unhealthy"].includes(value));

const truth = (value: string): boolean =>
  ["1", "true"].includes(checked("is-task", value, ["0", "1", "true", "false"].includes(value)));

const statusTest = (filters: Filters): Test => {
  for (const value of filters.get("status"))
    checked(
      "status",
      value,
      statuses.some((status) => status === value),
    );
  return ({ state }) => filters.some("status", (value) => wordOf(state) === value);
};

const exitedTest = (filters: Filters): Test => {
  const codes = filters.get("exited").map((value) => Number(checked("exited", value, /^-?\d{1,9}$/.test(value))));
  return ({ state }) => codes.length === 0 || (state.status === "exited" && codes.includes(exitCodeOf(state)));
};

/** `before` and `since` name containers; theirs is the order of the list. */
const orderTests = (filters: Filters, { containers }: Services): readonly Test[] => {
  const records = containers.list();
  const place = new Map(records.map(({ id }, index) => [id, index]));
  const placeOf = (reference: string): number => place.get(containers.get(reference).id) ?? -1;
  const before = filters.get("before").map(placeOf);
  const since = filters.get("since").map(placeOf);
  return [
    ({ id }) => before.every((limit) => (place.get(id) ?? 0) > limit),
    ({ id }) => since.every((limit) => (place.get(id) ?? 0) < limit),
  ];
};

/** Containers of an image, or of one that is built on it: that has its layers at the bottom. */
const ancestorTest = (filters: Filters, { images }: Services): Test => {
  const ancestors = filters.get("ancestor").map((reference) => images.find(reference));
  return ({ image }) => {
    if (ancestors.length === 0) return true;
    const layers = images.find(image.id)?.layers ?? [];
    return ancestors.some(
      (ancestor) =>
        ancestor !== undefined &&
        (ancestor.id === image.id ||
          (ancestor.layers.length > 0 && ancestor.layers.every((layer, index) => layers[index] === layer))),
    );
  };
};

/** `80`, `80/udp` and `80-90/tcp`. */
const portTest = (
  filters: Filters,
  name: "expose" | "publish",
  portsOf: (record: ContainerRecord) => readonly string[],
): Test => {
  const ranges = filters.get(name).map((value) => {
    const match = /^(\d{1,5})(?:-(\d{1,5}))?(?:\/(tcp|udp|sctp))?$/.exec(value);
    checked(name, value, match !== null);
    return { first: Number(match![1]), last: Number(match![2] ?? match![1]), protocol: match![3] ?? "tcp" };
  });
  return (record) =>
    ranges.length === 0 ||
    portsOf(record).some((port) => {
      const [number, protocol] = port.split("/");
      return ranges.some(
        (range) => protocol === range.protocol && Number(number) >= range.first && Number(number) <= range.last,
      );
    });
};
