/** What is asked of registries without an image being there. */
import { remoteManifest, remotePlatforms } from "../../image/remote.ts";
import { domainOf, parseCredentials } from "../../registry/credentials.ts";
import { readJson } from "../body.ts";
import type { Handler } from "../call.ts";
import { daemonError } from "../errors.ts";
import { Filters } from "../filters.ts";
import { json } from "../wire.ts";
import { parseTruth } from "./image-list.ts";
import { credentialsOf } from "./transfers.ts";

export const auth: Handler = async ({ services, request, signal }) => {
  const found = parseCredentials(await readJson(request));
  if (found === undefined) throw daemonError("noCredentials", {});
  const domain = domainOf(found.server);
  if (!/^[A-Za-z0-9.:[\]-]+$/.test(domain)) throw daemonError("badServer", { server: found.server.slice(0, 200) });
  await services.registries.login(domain, found, signal);
  return json({ Status: "Login Succeeded", IdentityToken: "" });
};

/** What a registry has under a name: `docker buildx`, `docker service` and others ask before they do something. */
export const distribution: Handler = async (call) => {
  const { services, values, signal } = call;
  const question = { credentials: credentialsOf(call), signal };
  const name = values.name ?? "";
  const manifest = await remoteManifest(services.registries, name, question);
  const { mediaType, digest, bytes } = manifest;
  const platforms = await remotePlatforms(services.registries, name, manifest, question);
  return json({ Descriptor: { mediaType, digest, size: bytes.length }, Platforms: platforms });
};

/** The manifest itself, byte for byte. */
export const manifest: Handler = async (call) => {
  const question = { credentials: credentialsOf(call), signal: call.signal };
  const { bytes, mediaType, digest } = await remoteManifest(call.services.registries, call.values.name ?? "", question);
  return json({ Digest: digest, MediaType: mediaType, Manifest: Buffer.from(bytes).toString("utf8") });
};

const maxResults = 100;

/** Filters: `is-official`, `is-automated`, `stars`. */
export const search: Handler = async (call) => {
  const { services, query, signal } = call;
  const filters = Filters.parse(query.text("filters"), ["is-automated", "is-official", "stars"]);
  const [official, automated] = ["is-official", "is-automated"].map((name) => filters.get(name).map(parseTruth)[0]);
  const stars = Number(filters.get("stars")[0] ?? 0);
  if (!Number.isInteger(stars))
    throw daemonError("invalidFilterValue", { name: "stars", value: filters.get("stars")[0]! });
  const limit = query.integer("limit") || 25;
  if (limit < 0 || limit > maxResults) throw daemonError("searchLimit", { limit });
  const term = query.text("term");
  const slash = term.indexOf("/");
  const hasHost = slash > 0 && /[.:]|^localhost$/.test(term.slice(0, slash));
  const [domain, words] = hasHost ? [domainOf(term.slice(0, slash)), term.slice(slash + 1)] : ["docker.io", term];
  const found = await services.registries.search(domain, words, limit, credentialsOf(call), signal);
  return json(
    found.filter(
      (one) =>
        (official === undefined || one.is_official === official) &&
        (automated === undefined || one.is_automated === automated) &&
        one.star_count >= stars,
    ),
  );
};
