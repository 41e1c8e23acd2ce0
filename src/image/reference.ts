/** Names of images as Docker writes them: `busybox` means `docker.io/library/busybox:latest`. */
import { imageError } from "./errors.ts";

export interface ImageName {
  /** The registry: `docker.io`, `localhost:5000`. */
  readonly domain: string;
  /** The repository there: `library/busybox`. */
  readonly path: string;
  readonly tag?: string;
  readonly digest?: string;
}

export const defaultDomain = "docker.io";
const legacyDomain = "index.docker.io";
const officialPrefix = "library/";
const maxPathLength = 255;
/** Name, tag and digest at their longest; what is longer is not worth matching. */
const maxLength = 1024;

// The grammar is distribution/reference's; every alternative begins with a character of its own, so matching is linear.
const domainPart = "[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?";
const domainPattern = `(?:${domainPart}(?:\\.${domainPart})*|\\[[a-fA-F0-9:]+\\])(?::[0-9]+)?`;
const pathPart = "[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*";
const pathPattern = `${pathPart}(?:/${pathPart})*`;
const tagPattern = "[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}";
const digestPattern = "[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}";
const reference = new RegExp(`^(${domainPattern})/(${pathPattern})(?::(${tagPattern}))?(?:@(${digestPattern}))?$`);

/** The length of each algorithm's digests in hexadecimal digits (go-digest's registered algorithms). */
const digestLengths: Readonly<Record<string, number>> = { sha256: 64, sha384: 96, sha512: 128 };

/** The name in full, as Docker understands it; throws Docker's sentence when it is none. Adds no tag. */
export const parseName = (text: string): ImageName => {
  if (text === "") throw imageError("invalidReference", {});
  if (text.length > maxLength) throw imageError("invalidReference", {});
  if (/^[a-f0-9]{64}$/.test(text)) throw imageError("hexadecimalName", { name: text });
  const [domain, rest] = splitDomain(text);
  const colon = rest.indexOf(":");
  const remote = colon === -1 ? rest : rest.slice(0, colon);
  if (remote.toLowerCase() !== remote) throw imageError("upperCaseReference", { name: remote });
  const whole = `${domain}/${rest}`;
  const match = reference.exec(whole);
  if (match === null) {
    throw imageError(reference.test(whole.toLowerCase()) ? "upperCaseName" : "invalidReference", {});
  }
  const [, matchedDomain, path, tag, digest] = match;
  if (path!.length > maxPathLength) throw imageError("nameTooLong", { limit: maxPathLength });
  if (digest !== undefined) checkDigest(digest);
  return {
    domain: matchedDomain!,
    path: path!,
    ...(tag === undefined ? {} : { tag }),
    ...(digest === undefined ? {} : { digest }),
  };
};

/** The first part is a registry if it looks like a host: it has a dot, a port or capitals, or is `localhost`. */
const splitDomain = (text: string): readonly [domain: string, rest: string] => {
  const slash = text.indexOf("/");
  if (slash === -1) return [defaultDomain, officialPrefix + text];
  const first = text.slice(0, slash);
  const isHost = first === "localhost" || /[.:]/.test(first) || first.toLowerCase() !== first;
  if (!isHost) return [defaultDomain, text];
  const rest = text.slice(slash + 1);
  if (first !== legacyDomain && first !== defaultDomain) return [first, rest];
  return [defaultDomain, rest.includes("/") ? rest : officialPrefix + rest];
};

const checkDigest = (digest: string): void => {
  const colon = digest.indexOf(":");
  const length = digestLengths[digest.slice(0, colon)];
  if (length === undefined) throw imageError("unsupportedDigest", { digest });
  const hex = digest.slice(colon + 1);
  if (hex.length !== length) throw imageError("invalidDigest", { problem: "length" });
  if (hex.toLowerCase() !== hex) throw imageError("invalidDigest", { problem: "format" });
};

/** With the tag `latest` where neither tag nor digest is named. */
export const withDefaultTag = (name: ImageName): ImageName =>
  name.tag === undefined && name.digest === undefined ? { ...name, tag: "latest" } : name;

/**
 * The name, with a tag, if an image may be given it. One that reads like an id would stand before the image with that id
 * (CVE-2014-8179).
 */
export const nameToGive = (name: ImageName): ImageName => {
  if (familiarRepository(name) === "sha256") throw imageError("ambiguousTag", {});
  return withDefaultTag(name);
};

const suffix = ({ tag, digest }: ImageName): string =>
  `${tag === undefined ? "" : `:${tag}`}${digest === undefined ? "" : `@${digest}`}`;

/** The repository in full: `docker.io/library/busybox`. */
export const repositoryOf = ({ domain, path }: ImageName): string => `${domain}/${path}`;

/** In full: `docker.io/library/busybox:latest`. */
export const canonicalName = (name: ImageName): string => repositoryOf(name) + suffix(name);

/** As people write the repository: `busybox`. */
export const familiarRepository = ({ domain, path }: ImageName): string => {
  if (domain !== defaultDomain) return `${domain}/${path}`;
  const short = path.startsWith(officialPrefix) ? path.slice(officialPrefix.length) : path;
  return short.includes("/") ? path : short;
};

/** As people write it: `busybox:latest`. */
export const familiarName = (name: ImageName): string => familiarRepository(name) + suffix(name);
