/** What of the file system that holds the root pier depends on. */
import { existsSync } from "node:fs";
import { mkdir, statfs } from "node:fs/promises";
import { join } from "node:path";
import { Database } from "../../base/database.ts";
import { layerFormats } from "../../container/layer-format.ts";
import { emptyName } from "../../container/layer-mounts.ts";
import { tryLayerFormat } from "../../container/layer-probe.ts";
import { planRoot } from "../../container/plan-mounts.ts";
import type { LayerFormat } from "../../kernel/facts.ts";
import { errnos } from "../../kernel/numbers/errno.ts";
import { type Check, type Finding, fails, works } from "./check.ts";
import type { Ground } from "./ground.ts";
import { moduleRemedy } from "./modules.ts";

const otherRoot = "put the root on a disk with ext4 or xfs: --root DIR";

const findDatabase: Check["look"] = async ({ place: { store } }) => {
  try {
    using database = new Database(join(store, "trial.db"));
    database.exec("CREATE TABLE trial (one INTEGER) STRICT");
    return works("locks and shared memory work");
  } catch (error) {
    return fails((error as Error).message, otherRoot);
  }
};

const ways: Readonly<Record<LayerFormat, string>> = {
  file: "from their files",
  loop: "through loop devices",
  directory: "as directories",
};

/** Why layers cannot be mounted in this way, or undefined. */
const reasonAgainst = (format: LayerFormat, { place, holder }: Ground): Promise<string | undefined> =>
  tryLayerFormat(format, { root: place.store, run: place.run, holder });

const findLayers: Check["look"] = async (ground) => {
  const reasons: string[] = [];
  for (const format of layerFormats) {
    const reason = await reasonAgainst(format, ground);
    if (reason === undefined) return works([`${ways[format]}`, ...reasons].join("; "));
    reasons.push(`not ${ways[format]} (${reason})`);
  }
  return fails(reasons.join("; "), otherRoot);
};

const findUnextracted: Check["look"] = async (ground) => {
  const reasons: string[] = [];
  for (const format of ["file", "loop"] as const) {
    const reason = await reasonAgainst(format, ground);
    if (reason === undefined) return works(ways[format]);
    reasons.push(`not ${ways[format]} (${reason})`);
  }
  const remedies = [
    ...(existsSync("/dev/loop-control") ? [] : [moduleRemedy("loop", "CONFIG_BLK_DEV_LOOP")]),
    moduleRemedy("erofs", "CONFIG_EROFS_FS"),
  ];
  return fails(reasons.join("; "), remedies.join("; "));
};

/** Extended attributes of overlayfs' own are written, as the `directory` format needs them. */
const findMarks: Check["look"] = async (ground) => {
  const reason = await reasonAgainst("directory", ground);
  return reason === undefined ? works("trusted.* can be set") : fails(reason, otherRoot);
};

const tryOverlay = async (ground: Ground, volatile: boolean) => {
  const { store, run } = ground.place;
  const place = (name: string) => join(store, `${name}-${volatile}`);
  const directories = ["upper", "work", "root"].map(place);
  const [upper = "", work = "", mountpoint = ""] = directories;
  for (const path of [...directories, join(run, emptyName)]) await mkdir(path, { recursive: true });
  const root = { layersDirectory: run, layers: [], emptyName, upper, work, mountpoint, volatile };
  return await ground.try({
    inside: [...planRoot(root), { step: "rootMakeDirectory", path: "/made", mode: 0o755, uid: 0, gid: 0 }],
  });
};

const findOverlay: Check["look"] = async (ground) => {
  for (const volatile of [false, true]) {
    const refusal = await tryOverlay(ground, volatile);
    if (refusal === undefined) continue;
    const isUnknown = refusal.errno === errnos.ENODEV.number;
    if (isUnknown) return fails(refusal.text, moduleRemedy("overlay", "CONFIG_OVERLAY_FS"));
    // The one option that is younger than the others.
    return volatile
      ? fails(`with "volatile", for --rm: ${refusal.text}`, "Linux 5.10 or later")
      : fails(refusal.text, otherRoot);
  }
  return works("containers can write over their images");
};

const gibibyte = 2 ** 30;
const leastBytes = gibibyte;
const leastFiles = 10_000;

/** Whether what is free is enough to begin with; a file system that counts no files has no end of them. */
export const judgeSpace = (bytes: number, files: number, counted: boolean): Finding => {
  const found = `${(bytes / gibibyte).toFixed(1)} GiB${counted ? ` and ${files} files` : ""} free`;
  const isEnough = bytes >= leastBytes && (!counted || files >= leastFiles);
  return isEnough ? works(found) : fails(found, "make room, or use another disk: --root DIR");
};

const findSpace: Check["look"] = async ({ place: { store } }) => {
  const { bavail, bsize, ffree, files } = await statfs(store);
  return judgeSpace(bavail * bsize, ffree, files > 0);
};

export const storageChecks: readonly Check[] = [
  { name: "database", serves: "the daemon", needed: true, look: findDatabase },
  { name: "overlayfs", serves: "containers that can write", needed: true, look: findOverlay },
  { name: "layers", serves: "images", needed: true, look: findLayers },
  {
    name: "layers unextracted",
    serves: "images that are ready as soon as they are here (otherwise each is extracted when it is first used)",
    needed: false,
    look: findUnextracted,
  },
  {
    name: "attributes",
    serves: "the layer format `directory`",
    needed: false,
    look: findMarks,
  },
  { name: "space", serves: "images and logs of any size", needed: false, look: findSpace },
];
