/** What a registry has under a name, without taking it. */
import type { Credentials } from "../registry/credentials.ts";
import type { Registries } from "../registry/registry.ts";
import type { ManifestBytes } from "../registry/repository.ts";
import { parseConfig } from "./config.ts";
import { maxDocumentSize } from "./document.ts";
import { isIndexType, type Platform, parseIndex, parseManifest } from "./manifest.ts";
import { topManifest } from "./pull.ts";
import { parseName, withDefaultTag } from "./reference.ts";

export interface RemoteQuestion {
  readonly credentials: Credentials | undefined;
  readonly signal: AbortSignal;
}

/** The manifest or index, byte for byte. */
export const remoteManifest = (
  registries: Registries,
  reference: string,
  { credentials, signal }: RemoteQuestion,
): Promise<ManifestBytes> => {
  const name = withDefaultTag(parseName(reference));
  return topManifest(registries.source(name, credentials), name, signal);
};

/** The machines that there are images for. */
export const remotePlatforms = async (
  registries: Registries,
  reference: string,
  { mediaType, digest, bytes }: ManifestBytes,
  { credentials, signal }: RemoteQuestion,
): Promise<readonly Partial<Platform>[]> => {
  if (isIndexType(mediaType)) {
    return parseIndex(digest, bytes, mediaType).flatMap(({ platform }) => (platform === undefined ? [] : [platform]));
  }
  const { config } = parseManifest(digest, bytes, mediaType);
  const source = registries.source(parseName(reference), credentials);
  const { architecture, os, variant } = parseConfig(await source.document(config, maxDocumentSize, signal));
  return [{ architecture, os, ...(variant === "" ? {} : { variant }) }];
};
