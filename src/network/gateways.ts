/** By which of its networks a container goes out, as Docker 28 chooses. Pure. */
import type { Endpoint } from "./endpoint.ts";

/** The highest priority first, then by the network's name. */
const isBefore = (a: Endpoint, b: Endpoint): number =>
  b.priority - a.priority || (a.network < b.network ? -1 : Number(a.network > b.network));

/** The same endpoints, of which at most one of each family has the default route. */
export const withDefaultRoutes = (endpoints: readonly Endpoint[]): readonly Endpoint[] => {
  if (endpoints.length === 1) {
    const [only] = endpoints as [Endpoint];
    return [{ ...only, defaultRoute: only.gateway !== "", defaultRoute6: only.gateway6 !== "" }];
  }
  const ordered = [...endpoints].sort(isBefore);
  const out = ordered.find(({ gateway }) => gateway !== "")?.id;
  const out6 = ordered.find(({ gateway6 }) => gateway6 !== "")?.id;
  return endpoints.map((endpoint) => ({
    ...endpoint,
    defaultRoute: endpoint.id === out,
    defaultRoute6: endpoint.id === out6,
  }));
};
