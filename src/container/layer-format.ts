/** The ways to mount a layer: from its files, through loop devices over them, or as a directory that was extracted. */
import type { LayerFormat } from "../kernel/facts.ts";
import { mountFlags } from "../kernel/numbers/mount.ts";
import type { Step } from "../kernel/steps.ts";

/** The one that costs least comes first. */
export const layerFormats = ["file", "loop", "directory"] as const satisfies readonly LayerFormat[];

export const isLayerFormat = (text: string): text is LayerFormat => layerFormats.some((format) => format === text);

/** Where the parts of a layer are on the host. */
export interface LayerFiles {
  readonly index: string;
  readonly tar: string;
}

/** What is mounted. */
export type LayerSource =
  | (LayerFiles & { readonly format: "file" | "loop" })
  | { readonly format: "directory"; readonly files: string };

const { MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_BIND, MS_REMOUNT } = mountFlags;
const flags = MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC;

/** The steps after which the layer is mounted at the target, for reading only. */
export const planLayer = (source: LayerSource, target: string): readonly Step[] => {
  const { format } = source;
  switch (format) {
    case "file": {
      const data = `device=${source.tar}`;
      return [{ step: "mount", at: "/", source: source.index, target, type: "erofs", flags, data }];
    }
    case "loop":
      return [
        { step: "openLoopDevice", slot: "index", path: source.index },
        { step: "openLoopDevice", slot: "tar", path: source.tar },
        { step: "mountIndex", index: "index", tar: "tar", target, flags },
      ];
    case "directory": {
      const bind = { step: "mount", at: "/", source: source.files, target, type: "", data: "" } as const;
      // A bind mount takes its flags at a second call only.
      return [
        { ...bind, flags: MS_BIND },
        { ...bind, flags: MS_BIND | MS_REMOUNT | flags },
      ];
    }
  }
};
