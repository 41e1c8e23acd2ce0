/** Names of images: the grammar of distribution's references, and Docker's way to complete a short name. */
import { cliError } from "../errors.ts";

export interface Reference {
  /** With the registry: `docker.io/library/busybox`. */
  readonly name: string;
  readonly tag: string | undefined;
  readonly digest: string | undefined;
}

const label = "[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?";
const domain = `(?:${label}(?:\\.${label})*|\\[[a-fA-F0-9:]+\\])(?::[0-9]+)?`;
const component = "[a-z0-9]+(?:(?:\\.|_|__|-+)[a-z0-9]+)*";
const pattern = new RegExp(
  `^(?<name>${domain}/${component}(?:/${component})*)(?::(?<tag>\\w[\\w.-]{0,127}))?(?:@(?<digest>[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}))?$`,
);

/** Registry and the rest: what stands before the first slash is a registry when it could be no user's name. */
const splitDomain = (text: string): readonly [domain: string, rest: string] => {
  const slash = text.indexOf("/");
  const first = text.slice(0, Math.max(slash, 0));
  const isDomain = first === "localhost" || /[.:]/.test(first) || first !== first.toLowerCase();
  const [registry, rest] = slash >= 0 && isDomain ? [first, text.slice(slash + 1)] : ["docker.io", text];
  const hub = registry === "index.docker.io" || registry === "docker.io";
  return [hub ? "docker.io" : registry, hub && !rest.includes("/") ? `library/${rest}` : rest];
};

/** The whole name of an image; throws Docker's words for what is none. */
export const parseReference = (text: string): Reference => {
  const [registry, rest] = splitDomain(text);
  const [path = ""] = rest.split(":");
  if (path !== path.toLowerCase()) throw cliError("referenceUpperCase", { name: path });
  const { name, tag, digest } = pattern.exec(`${registry}/${rest}`)?.groups ?? {};
  const wrongDigest = digest?.startsWith("sha256:") && !/^sha256:[0-9a-f]{64}$/.test(digest);
  if (name === undefined || wrongDigest || rest.length > 255) throw cliError("referenceInvalid", {});
  return { name, tag, digest };
};

/** Whether the text is an image's whole id, which is taken instead of a name. */
const isId = (text: string): boolean => /^(sha256:)?[0-9a-f]{64}$/.test(text);

/** Throws unless the text may name an image: by name or by id. */
export const checkImage = (text: string): void => {
  if (!isId(text)) parseReference(text);
};

/** The name as a person writes it, without Docker Hub's parts. */
export const familiarName = (name: string): string => name.replace(/^docker\.io\/(library\/(?=[^/]+$))?/, "");
