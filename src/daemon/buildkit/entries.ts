/** Outputs and caches as BuildKit's clients name them: a type, and what is said of it. */
import { decodeJson, list, map, object, string } from "../../api/shape.ts";
import { codes, GrpcError } from "../../format/buildkit/grpc.ts";

export interface Entry {
  readonly type: string;
  readonly attributes: ReadonlyMap<string, string>;
}

const entries = list(object({ Type: string, Attrs: map(string) }));

/** Entries as clients write them into an option: `[{"Type":"registry","Attrs":{"ref":"…"}}]`. */
export const decodeEntries = (text: string): readonly Entry[] =>
  entries(decodeJson(Buffer.from(text)), "").map(({ Type, Attrs }) => ({
    type: Type,
    attributes: new Map(Object.entries(Attrs)),
  }));

export const isTrue = (text: string): boolean => ["1", "t", "true"].includes(text.toLowerCase());

export const refused = (text: string): GrpcError => new GrpcError(codes.unimplemented, text);
