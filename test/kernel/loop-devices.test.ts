/** Loop devices under layers: there for as long as somebody uses them, whatever becomes of whom. */
import assert from "node:assert/strict";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { type DiffId, digestFromHex } from "../../src/base/ids.ts";
import { planLayer } from "../../src/container/layer-format.ts";
import { IndexBuilder } from "../../src/format/erofs/builder.ts";
import { StepFailure } from "../../src/kernel/keeper.ts";
import { errnos } from "../../src/kernel/numbers/errno.ts";
import { namespaces } from "../../src/kernel/numbers/namespaces.ts";
import type { Step } from "../../src/kernel/steps.ts";
import { cannotKeep, Keepers, until } from "./keepers.ts";
import { loopDevices } from "./leaks.ts";

const skip = cannotKeep || (existsSync("/dev/loop-control") ? false : "there is no /dev/loop-control");
const tarSize = 1024;

interface Place {
  readonly index: string;
  readonly tar: string;
  readonly target: string;
}

/** The files of a layer with nothing in it, and a directory to mount it at. */
const makeLayer = (keepers: Keepers): Place => {
  const directory = keepers.path("layer");
  const place = { index: join(directory, "index"), tar: join(directory, "tar"), target: join(directory, "mounted") };
  mkdirSync(place.target, { recursive: true });
  const diffId = digestFromHex("0".repeat(64)) as DiffId;
  writeFileSync(place.index, Buffer.concat([...new IndexBuilder().finish({ diffId, tarSize })]));
  writeFileSync(place.tar, new Uint8Array(tarSize));
  return place;
};

const inStore = ({ holder }: Keepers, steps: readonly Step[]): readonly Step[] => [
  { step: "joinNamespace", path: holder.namespace, kind: namespaces.mount.flag },
  ...steps,
];

const mount = (keepers: Keepers, place: Place) =>
  keepers.errand({ outside: inStore(keepers, planLayer({ format: "loop", ...place }, place.target)) });

const unmount = (keepers: Keepers, { target }: Place) =>
  keepers.errand({ outside: inStore(keepers, [{ step: "unmount", path: target, flags: 0 }]) });

const devices = ({ directory }: Keepers): readonly string[] => [...loopDevices(directory).keys()];

/** The kernel takes a device away in its own time, and tells nobody. */
const noDevices = (keepers: Keepers): Promise<void> =>
  until(
    () => devices(keepers).length === 0,
    () => `left: ${devices(keepers).join(", ")}`,
  );

describe("loop devices under a layer", { skip }, () => {
  test("are read-only, have tar's blocks, and go when the layer is unmounted", async () => {
    await using keepers = await Keepers.open();
    const place = makeLayer(keepers);
    await mount(keepers, place);
    const found = devices(keepers).map((line) => line.split(" ") as [string, string]);
    assert.deepEqual(found.map(([, file]) => file).sort(), [place.index, place.tar]);
    for (const [name] of found) {
      assert.equal(readFileSync(`/sys/block/${name}/ro`, "utf8").trim(), "1");
      assert.equal(readFileSync(`/sys/block/${name}/queue/logical_block_size`, "utf8").trim(), "512");
    }
    const table = readFileSync(`/proc/${keepers.holder.pid}/mountinfo`, "utf8");
    const [line = ""] = table.split("\n").filter((mounted) => mounted.includes(place.target));
    const [index] = found.find(([, file]) => file === place.index)!;
    assert.match(line, new RegExp(`erofs /dev/${index} `), "the table of mounts names the device");
    await unmount(keepers, place);
    await noDevices(keepers);
  });

  test("go with the store's namespace when its holder is killed", async () => {
    await using keepers = await Keepers.open();
    await mount(keepers, makeLayer(keepers));
    assert.equal(devices(keepers).length, 2);
    process.kill(keepers.holder.pid, "SIGKILL");
    await noDevices(keepers);
  });

  test("are not left by a plan that fails after the first or the second of them", async () => {
    await using keepers = await Keepers.open();
    const place = makeLayer(keepers);
    const failsWith = (name: keyof typeof errnos, at: Place) =>
      assert.rejects(
        mount(keepers, at),
        (error) => error instanceof StepFailure && error.errno === errnos[name].number,
      );
    await failsWith("ENOENT", { ...place, tar: `${place.tar}-missing` });
    await noDevices(keepers);
    await failsWith("ENOENT", { ...place, target: `${place.target}-missing` });
    await noDevices(keepers);
  });

  test("go when their keeper is killed before it could mount them", async () => {
    await using keepers = await Keepers.open();
    const { index, tar } = makeLayer(keepers);
    // It waits for a child that waits for it.
    const keeper = keepers.launch({
      outside: [
        { step: "openLoopDevice", slot: "index", path: index },
        { step: "openLoopDevice", slot: "tar", path: tar },
        { step: "clone", namespaces: 0, cgroup: "" },
        { step: "await", point: 2 },
      ],
      inside: [{ step: "dieWithParent" }, { step: "await", point: 2 }],
      after: [],
    });
    await until(
      () => devices(keepers).length === 2,
      () => "the devices are not there",
    );
    keepers.killKeepers();
    await keeper.closed;
    await noDevices(keepers);
  });

  test("are had by one layer each, however many are mounted at the same time", async () => {
    await using keepers = await Keepers.open();
    const places = Array.from({ length: 12 }, () => makeLayer(keepers));
    await Promise.all(places.map((place) => mount(keepers, place)));
    const files = devices(keepers).map((line) => line.split(" ")[1]);
    assert.deepEqual(files.sort(), places.flatMap(({ index, tar }) => [index, tar]).sort());
    await Promise.all(places.map((place) => unmount(keepers, place)));
    await noDevices(keepers);
  });
});
