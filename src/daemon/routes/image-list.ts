/** `GET /images/json`: which images, by Docker's filters. */
import type { ImageSummary } from "../../api/answers/images.ts";
import { imageSummaryFor } from "../../api/versions.ts";
import { matchesPath, type PathPattern, parsePathPattern } from "../../format/path-patterns.ts";
import type { ImageRecord } from "../../image/record.ts";
import { imageSummaryAnswer, layerUsers, sharedLayers } from "../answers/image.ts";
import type { Handler } from "../call.ts";
import { daemonError } from "../errors.ts";
import { Filters } from "../filters.ts";
import type { ImageService } from "../services.ts";
import { untilOf } from "../until.ts";
import { json } from "../wire.ts";

const allowed = ["before", "dangling", "label", "reference", "since", "until"] as const;

export const list: Handler = ({ services, query, version }) => {
  const filters = Filters.parse(query.text("filters"), allowed);
  const users = Map.groupBy(services.containers.list(), ({ image }) => image.id);
  const tests = testsOf(filters, services.images);
  const all = services.images.list();
  const found = all.filter((image) => tests.every((test) => test(image)));
  const shared = query.flag("shared-size") ? sharedSizes(all, services.images) : () => ({});
  const summaries = found
    .map((image) => ({ ...imageSummaryAnswer(image, users.get(image.id)?.length ?? 0), ...shared(image) }))
    .map((summary) => withMatchingTags(summary, filters))
    .filter((summary) => summary !== undefined)
    .sort((a, b) => b.Created - a.Created);
  return json(summaries.map((summary) => imageSummaryFor(version, summary)));
};

/** Bytes of the files in layers that other images have as well, whichever of them are shown. */
const sharedSizes = (all: readonly ImageRecord[], images: ImageService) => {
  const users = layerUsers(all);
  return (image: ImageRecord): Pick<ImageSummary, "SharedSize"> => ({
    SharedSize: sharedLayers(image, users).reduce((sum, layer) => sum + images.layerSize(layer), 0),
  });
};

const testsOf = (filters: Filters, images: ImageService): readonly ((image: ImageRecord) => boolean)[] => {
  const created = (reference: string): number => Date.parse(images.get(reference).created);
  const before = filters.get("before").map(created);
  const since = filters.get("since").map(created);
  const until = untilOf(filters, Date.now());
  const dangling = filters.get("dangling").map(parseTruth);
  return [
    (image) => filters.labels(image.config.Labels ?? {}),
    (image) => before.every((limit) => Date.parse(image.created) < limit),
    (image) => until === undefined || Date.parse(image.created) < until,
    (image) => since.every((limit) => Date.parse(image.created) > limit),
    (image) => dangling.length === 0 || dangling.includes(image.tags.length === 0),
  ];
};

export const parseTruth = (value: string): boolean => {
  if (value === "true" || value === "1") return true;
  if (value === "false" || value === "0") return false;
  throw daemonError("invalidFilterValue", { name: "dangling", value: value.slice(0, 100) });
};

/** Of an image with several names only those asked for are shown, and none asked for is none at all. */
const withMatchingTags = (summary: ImageSummary, filters: Filters): ImageSummary | undefined => {
  if (!filters.has("reference")) return summary;
  const patterns = filters.get("reference").map(parseReferencePattern);
  const matches = (name: string): boolean => {
    const repository = name.replace(/(@|:[^/]*$).*/, "");
    return patterns.some((pattern) => matchesPath(pattern, name) || matchesPath(pattern, repository));
  };
  const [tags, digests] = [summary.RepoTags.filter(matches), summary.RepoDigests.filter(matches)];
  return tags.length + digests.length === 0 ? undefined : { ...summary, RepoTags: tags, RepoDigests: digests };
};

/** As Go's path.Match reads it. */
const parseReferencePattern = (value: string): PathPattern => {
  const pattern = value.length > 500 ? undefined : parsePathPattern(value, { deep: false });
  if (pattern === undefined) throw daemonError("invalidFilterValue", { name: "reference", value: value.slice(0, 100) });
  return pattern;
};
