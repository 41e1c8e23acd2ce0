/** What pier answers of images, with Docker's own names (API 1.51). */
import type { ContainerConfig, Texts } from "../types.ts";
import type { GraphDriver } from "./containers.ts";

/** One of `GET /images/json` */
export interface ImageSummary {
  readonly Id: string;
  readonly ParentId: string;
  readonly RepoTags: readonly string[];
  readonly RepoDigests: readonly string[];
  readonly Created: number;
  readonly Size: number;
  readonly SharedSize: number;
  readonly Labels: Texts | null;
  readonly Containers: number;
}

/** `GET /images/{name}/json` */
export interface ImageInspect {
  readonly Id: string;
  readonly RepoTags: readonly string[];
  readonly RepoDigests: readonly string[];
  readonly Parent: string;
  readonly Comment: string;
  readonly Created?: string;
  readonly DockerVersion: string;
  readonly Author: string;
  readonly Config: ContainerConfig;
  readonly Architecture: string;
  readonly Variant?: string;
  readonly Os: string;
  readonly OsVersion?: string;
  readonly Size: number;
  readonly GraphDriver: GraphDriver;
  readonly RootFS: { readonly Type: "layers"; readonly Layers: readonly string[] };
  readonly Metadata: { readonly LastTagTime: string };
}

/** One of `GET /images/{name}/history` */
export interface ImageHistoryItem {
  readonly Id: string;
  readonly Created: number;
  readonly CreatedBy: string;
  readonly Tags: readonly string[] | null;
  readonly Size: number;
  readonly Comment: string;
}

/** One of `DELETE /images/{name}` */
export interface ImageDeleteItem {
  readonly Untagged?: string;
  readonly Deleted?: string;
}

/** One line of the answers to load, import and pull. */
export interface ProgressLine {
  readonly stream?: string;
  readonly status?: string;
  readonly id?: string;
  readonly progressDetail?: { readonly current?: number; readonly total?: number };
  /** What a push tells those who do not read words. */
  readonly aux?: { readonly Tag: string; readonly Digest: string; readonly Size: number };
  readonly error?: string;
  readonly errorDetail?: { readonly code?: number; readonly message: string };
}

/** One of `GET /images/search` */
export interface SearchItem {
  readonly name: string;
  readonly description: string;
  readonly star_count: number;
  readonly is_official: boolean;
  readonly is_automated: boolean;
}
