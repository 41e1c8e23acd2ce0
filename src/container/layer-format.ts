/** The ways to mount a layer: from its files, through loop devices over them, or extracted. */
import type { LayerFormat } from "../kernel/facts.ts";
import { mountFlags } from "../kernel/numbers/mount.ts";
import type { Step } from "../kernel/steps.ts";

/** The one that costs least comes first. */
export const layerFormats = ["file", "loop"] as const satisfies readonly LayerFormat[];

export const isLayerFormat = (text: string): text is LayerFormat => layerFormats.some((format) => format === text);

/** Where the parts of a layer are on the host. */
export interface LayerFiles {
  readonly index: string;
  readonly tar: string;
}

const flags = mountFlags.MS_RDONLY | mountFlags.MS_NOSUID | mountFlags.MS_NODEV | mountFlags.MS_NOEXEC;

/** The steps after which a layer is mounted at the target, for reading only; of what they began nothing is left when one fails. */
export const planLayer = (format: LayerFormat, { index, tar }: LayerFiles, target: string): readonly Step[] => {
  switch (format) {
    case "file":
      return [{ step: "mount", at: "/", source: index, target, type: "erofs", flags, data: `device=${tar}` }];
    case "loop":
      return [
        { step: "openLoopDevice", slot: "index", path: index },
        { step: "openLoopDevice", slot: "tar", path: tar },
        { step: "mountIndex", index: "index", tar: "tar", target, flags },
      ];
  }
};
