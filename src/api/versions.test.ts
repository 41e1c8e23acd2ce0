import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import type { ImageInspect, ImageSummary } from "./answers/images.ts";
import type { RouteName } from "./routes.ts";
import { type Mount, noEndpoint } from "./types.ts";
import {
  containerInspectFor,
  diskUsageFor,
  imageInspectFor,
  isAtLeast,
  parseVersion,
  pierVersion,
  unknownParameters,
  upgradeCreate,
  upgradeExec,
  upgradeUpdate,
} from "./versions.ts";

it("pier's own version is that of the package", () => {
  const manifest: unknown = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8"));
  assert.equal((manifest as { version: string }).version, pierVersion);
});

describe("a version in the path", () => {
  it("is taken off, and is the newest where there is none", () => {
    assert.deepEqual(parseVersion("/v1.24/containers/json"), { version: "1.24", path: "/containers/json" });
    assert.deepEqual(parseVersion("/v1.51/info"), { version: "1.51", path: "/info" });
    assert.deepEqual(parseVersion("/info"), { version: "1.51", path: "/info" });
    assert.deepEqual(parseVersion("/volumes/v1.20"), { version: "1.51", path: "/volumes/v1.20" });
  });

  it("is refused in Docker's words outside the range", () => {
    assert.throws(() => parseVersion("/v1.52/info"), {
      status: 400,
      message: "client version 1.52 is too new. Maximum supported API version is 1.51",
    });
    assert.throws(() => parseVersion("/v2.0/info"), { status: 400, message: /too new/ });
    assert.throws(() => parseVersion("/v1.23/info"), {
      status: 400,
      message:
        "client version 1.23 is too old. Minimum supported API version is 1.24, please upgrade your client to a newer version",
    });
    for (const odd of ["/v1/info", "/v1.9/info", "/v../info", "/v1..3/info"])
      assert.throws(() => parseVersion(odd), { status: 400, message: /too old/ });
  });

  it("compares by number, not by text", () => {
    assert.ok(isAtLeast("1.51", "1.9"));
    assert.ok(isAtLeast("1.42", "1.42"));
    assert.ok(!isAtLeast("1.41", "1.42"));
  });
});

describe("older clients", () => {
  it("read an image as they know it", () => {
    const answer = { Size: 5, Config: { Env: null } } as unknown as ImageInspect;
    assert.deepEqual(imageInspectFor("1.51", answer), answer);
    assert.equal(imageInspectFor("1.49", answer).Config?.Hostname, "");
    assert.equal("VirtualSize" in imageInspectFor("1.44", answer), false);
    assert.equal((imageInspectFor("1.43", answer) as { VirtualSize?: number }).VirtualSize, 5);
  });

  it("read what takes the disk as they know it", () => {
    const image = { Size: 5 } as unknown as ImageSummary;
    const usage = { Images: [image], BuildCache: [{ Size: 1 }, { Size: 2 }] };
    assert.deepEqual(diskUsageFor("1.44", usage), usage);
    assert.deepEqual(diskUsageFor("1.42", usage), { ...usage, Images: [{ Size: 5, VirtualSize: 5 }] });
    assert.deepEqual(diskUsageFor("1.41", usage), {
      ...{ ...usage, Images: [{ Size: 5, VirtualSize: 5 }] },
      BuilderSize: 3,
    });
    assert.deepEqual(diskUsageFor("1.41", {}), {});
  });

  it("see what an image once had of a container", () => {
    const answer = { Config: {} } as unknown as ImageInspect;
    const old = imageInspectFor("1.44", answer) as unknown as { ContainerConfig: { Volumes: null } };
    assert.equal(old.ContainerConfig.Volumes, null);
    assert.equal("ContainerConfig" in imageInspectFor("1.45", answer), false);
  });

  it("find a container by its own names among its aliases, in networks that somebody made", () => {
    const networks = { back: { ...noEndpoint, Aliases: ["db", "host"] }, bridge: noEndpoint };
    const answer = { Id: "0123456789abcdef", Config: { Hostname: "host" }, NetworkSettings: { Networks: networks } };
    const aliases = ({ NetworkSettings }: typeof answer) =>
      Object.values(NetworkSettings.Networks).map(({ Aliases }) => Aliases);
    assert.deepEqual(aliases(containerInspectFor("1.44", answer)), [["db", "host", "0123456789ab"], null]);
    assert.deepEqual(containerInspectFor("1.45", answer), answer);
  });

  it("mean by nothing what they meant then", () => {
    const ipc = (version: string, IpcMode?: string) =>
      upgradeCreate(version, { HostConfig: IpcMode === undefined ? {} : { IpcMode } }).HostConfig;
    assert.deepEqual(ipc("1.39"), { IpcMode: "shareable" });
    assert.deepEqual(ipc("1.39", "private"), { IpcMode: "private" });
    assert.deepEqual(ipc("1.40"), {});
  });

  it("do not mean what they cannot know", () => {
    const body = (Mounts: readonly Mount[]) => ({
      Healthcheck: { Interval: 1, StartInterval: 5 },
      HostConfig: { IpcMode: "private", Annotations: { a: "b" }, Mounts },
    });
    const bind: Mount = {
      Type: "bind",
      BindOptions: { NonRecursive: true, CreateMountpoint: true, Propagation: "rslave" },
      VolumeOptions: { NoCopy: true },
    };
    assert.deepEqual(upgradeCreate("1.45", body([bind])), body([bind]));
    assert.deepEqual(upgradeCreate("1.42", body([bind])), {
      Healthcheck: { Interval: 1 },
      HostConfig: { IpcMode: "private", Mounts: [bind] },
    });
    const plain = { Type: "bind", VolumeOptions: null, TmpfsOptions: null };
    const mounts = (version: string) => upgradeCreate(version, body([bind])).HostConfig?.Mounts;
    assert.deepEqual(mounts("1.41"), [{ ...plain, BindOptions: { NonRecursive: true, Propagation: "rslave" } }]);
    assert.deepEqual(mounts("1.39"), [{ ...plain, BindOptions: { Propagation: "rslave" } }]);
    assert.equal(upgradeExec("1.41", { ConsoleSize: [1, 2] }).ConsoleSize, null);
    assert.deepEqual(upgradeExec("1.42", { ConsoleSize: [1, 2] }).ConsoleSize, [1, 2]);
  });

  it("are not read what came later than they", () => {
    const host = (version: string) =>
      upgradeCreate(version, { HostConfig: { IpcMode: "private", AutoRemove: true, ConsoleSize: [1, 2] } }).HostConfig;
    assert.deepEqual(host("1.24"), { IpcMode: "private" });
    assert.deepEqual(host("1.41"), { IpcMode: "private", AutoRemove: true });
    assert.deepEqual(host("1.42"), { IpcMode: "private", AutoRemove: true, ConsoleSize: [1, 2] });
    assert.deepEqual(upgradeUpdate("1.39", { PidsLimit: 5 }), { PidsLimit: null });
    assert.deepEqual(upgradeUpdate("1.40", { PidsLimit: 5 }), { PidsLimit: 5 });
    const since: readonly (readonly [RouteName, string, number])[] = [
      ["containerCreate", "platform", 41],
      ["containerStats", "one-shot", 41],
      ["containerStop", "signal", 42],
      ["containerRestart", "signal", 42],
      ["containerWait", "condition", 30],
    ];
    for (const [route, name, minor] of since) {
      assert.deepEqual(unknownParameters(`1.${minor - 1}`, route), [name]);
      assert.deepEqual(unknownParameters(`1.${minor}`, route), []);
    }
    assert.deepEqual(unknownParameters("1.24", "containerKill"), []);
  });

  it("are refused what must not be missed, in Docker's words", () => {
    const subpath = { HostConfig: { Mounts: [{ Type: "volume", VolumeOptions: { Subpath: "a" } }] } };
    assert.throws(() => upgradeCreate("1.44", subpath), { message: "VolumeOptions.Subpath needs API v1.45 or newer" });
    const force = { HostConfig: { Mounts: [{ Type: "bind", BindOptions: { ReadOnlyForceRecursive: true } }] } };
    assert.throws(() => upgradeCreate("1.43", force), {
      message: "BindOptions.ReadOnlyForceRecursive needs API v1.44 or newer",
    });
    const several = { NetworkingConfig: { EndpointsConfig: { b: {}, a: {} } } };
    assert.throws(() => upgradeCreate("1.43", several), {
      status: 400,
      message: "Container cannot be created with multiple network endpoints: a, b",
    });
    assert.deepEqual(upgradeCreate("1.44", several).NetworkingConfig, several.NetworkingConfig);
  });
});
