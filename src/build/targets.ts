/** Which stages a Dockerfile has, for those who ask what can be built. Pure. */
import { descriptionsAbove } from "./dockerfile/comments.ts";
import type { LineRange } from "./dockerfile/source.ts";
import type { Dockerfile } from "./dockerfile/stages.ts";

export interface Target {
  /** "": it has none. */
  readonly name: string;
  readonly description: string;
  /** It is built where no other is asked for. */
  readonly isDefault: boolean;
  /** As written. */
  readonly base: string;
  readonly platform: string;
  readonly range: LineRange;
}

export const targetsOf = ({ stages, lines }: Dockerfile): readonly Target[] =>
  stages.map(({ name = "", base, platform = "", index, start, end }) => ({
    ...{ name, base, platform, isDefault: index === stages.length - 1, range: { start, end } },
    description: descriptionsAbove(lines, { start, end }).get(name) ?? "",
  }));
