/** Which images nobody needs: pure, by what is asked. */
import type { ImageRecord } from "./record.ts";

export interface PruneRequest {
  /** Only those without a name. */
  readonly dangling: boolean;
  /** Milliseconds since 1970: only those that were made before. */
  readonly until: number | undefined;
  readonly hasLabels: (labels: Readonly<Record<string, string>>) => boolean;
  readonly isUsed: (image: ImageRecord) => boolean;
}

export const planPrune = (images: readonly ImageRecord[], request: PruneRequest): readonly ImageRecord[] =>
  images.filter((image) => {
    if (request.isUsed(image) || !request.hasLabels(image.config.Labels ?? {})) return false;
    // As Docker: a digest alone is no name that keeps it.
    if (request.dangling && image.tags.length > 0) return false;
    return request.until === undefined || (Date.parse(image.created) || 0) < request.until;
  });
