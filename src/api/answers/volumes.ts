/** What pier answers of volumes, with Docker's own names (API 1.51). */

/** `GET /volumes/{name}` */
export interface VolumeAnswer {
  readonly CreatedAt: string;
  readonly Driver: string;
  readonly Labels: Readonly<Record<string, string>> | null;
  readonly Mountpoint: string;
  readonly Name: string;
  readonly Options: Readonly<Record<string, string>> | null;
  readonly Scope: "local";
  /** Bytes, and by how many containers it is used; only where that was asked for. */
  readonly UsageData?: { readonly Size: number; readonly RefCount: number };
}

/** `GET /volumes` */
export interface VolumeListAnswer {
  readonly Volumes: readonly VolumeAnswer[] | null;
  readonly Warnings: readonly string[] | null;
}

/** `POST /volumes/prune` */
export interface VolumePruneAnswer {
  readonly VolumesDeleted: readonly string[] | null;
  readonly SpaceReclaimed: number;
}
