/** What pier answers of builds and their cache, with Docker's own names (API 1.51). */

/** What the lines of `POST /build?version=2` are about: Docker's, and pier's own. */
export const buildLineIds = {
  /** Base64 of BuildKit's StatusResponse. */
  trace: "moby.buildkit.trace",
  image: "moby.image.id",
  /** The lines of the Dockerfile that failed, as text. */
  source: "pier.build.source",
  /** What was asked of the Dockerfile instead of a build. */
  answer: "pier.build.answer",
  /** What BuildKit's clients write to their metadata file. */
  response: "pier.build.response",
} as const;

/** One line of `POST /build`. */
export interface BuildProgressLine {
  readonly id?: string;
  readonly stream?: string;
  readonly aux?: unknown;
  readonly error?: string;
  readonly errorDetail?: { readonly code?: number; readonly message: string };
}

/** What a Dockerfile says of itself, in BuildKit's form, and as text. */
export interface BuildAnswer {
  readonly json: unknown;
  readonly text: string;
  /** What a command that asked ends with. */
  readonly code: number;
}

/** `GET /pier/build/explain`: the last build. */
export interface BuildExplainAnswer {
  readonly Names: readonly string[];
  /** RFC 3339. */
  readonly Began: string;
  readonly Milliseconds: number;
  /** "" when it succeeded. */
  readonly Error: string;
  readonly Steps: readonly {
    readonly Name: string;
    /** Milliseconds after the build began. */
    readonly Began: number;
    readonly Ended: number;
    readonly Cached: boolean;
    /** "" for a step that no cache has. */
    readonly Why: string;
    readonly Waits: readonly { readonly For: string; readonly Milliseconds: number }[];
  }[];
}

/** `POST /build/prune` */
export interface BuildPruneAnswer {
  readonly CachesDeleted: readonly string[] | null;
  readonly SpaceReclaimed: number;
}

/** What the build cache holds, in `GET /system/df` */
export interface BuildCacheAnswer {
  readonly ID: string;
  readonly Type: string;
  readonly Description: string;
  readonly InUse: boolean;
  readonly Shared: boolean;
  readonly Size: number;
  readonly CreatedAt: string;
  readonly LastUsedAt: string;
  readonly UsageCount: number;
}
