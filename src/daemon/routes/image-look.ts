/** Looking into images without running anything: their indexes say what is in them. */
import { compareTrees } from "../../image/diff.ts";
import type { ImageRecord } from "../../image/record.ts";
import { Tree, type TreePath } from "../../image/tree.ts";
import type { Call, Handler } from "../call.ts";
import { daemonError } from "../errors.ts";
import { encodeJson, json, jsonType, stream } from "../wire.ts";

const maxContent = 64 * 1024 * 1024;

const treeOf = ({ services }: Call, name: string): Tree =>
  Tree.open(services.images.stack(services.images.get(name).layers));

/** Bytes as text; what is not UTF-8 is shown, not lost. */
const words = (path: string): string => Buffer.from(path, "latin1").toString("utf8");

/** What is at a path and below it, a line each; or with `content` the bytes of a file. */
export const files: Handler = (call) => {
  const tree = treeOf(call, call.values.name ?? "");
  const path = Buffer.from(call.query.text("path"), "utf8").toString("latin1").replace(/\/+$/, "");
  const asked = path === "" || path.startsWith("/") ? path : `/${path}`;
  if (asked !== "" && tree.find(asked) === undefined) throw daemonError("noSuchFile", { path: words(asked) });
  if (!call.query.flag("content")) return stream(jsonType, lines(tree, asked));
  const bytes = tree.read(asked, maxContent);
  if (bytes === undefined) throw daemonError("noContent", { path: words(asked), limit: maxContent });
  return stream("application/octet-stream", one(bytes));
};

async function* one(bytes: Uint8Array) {
  yield bytes;
}

async function* lines(tree: Tree, asked: string) {
  for (const entry of tree.walk()) {
    if (asked === "" || entry.path === asked || entry.path.startsWith(`${asked}/`)) yield encodeJson(lineOf(entry));
  }
}

const lineOf = ({ path, type, mode, uid, gid, size, mtime, target }: TreePath) => ({
  Path: words(path),
  Type: type,
  Mode: mode & 0o7777,
  Uid: uid,
  Gid: gid,
  Size: size,
  Mtime: Number(mtime.seconds),
  Target: target === undefined ? "" : Buffer.from(target).toString("utf8"),
});

/** What the second image has otherwise than the first. */
export const diff: Handler = (call) => {
  const changes = compareTrees(treeOf(call, call.query.text("first")), treeOf(call, call.query.text("second")));
  return json(changes.map(({ kind, path }) => ({ Kind: kind, Path: words(path) })));
};

/** The layers of an image, the lowest first, and who else has them. */
export const layers: Handler = ({ services, values }) => {
  const image = services.images.get(values.name ?? "");
  const others = services.images.list().filter(({ id }) => id !== image.id);
  return json(
    image.layers.map((id) => ({
      DiffId: id,
      Size: services.images.layerSize(id),
      SharedWith: others.filter((other) => other.layers.includes(id)).map(titleOf),
    })),
  );
};

const titleOf = ({ tags, digests, id }: ImageRecord): string => tags[0] ?? digests[0] ?? id;
