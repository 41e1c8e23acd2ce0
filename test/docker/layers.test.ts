/** Containers on every way of mounting their layers, through all that befalls daemons, holders and images. */
import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync, watch } from "node:fs";
import { join } from "node:path";
import { after, afterEach, before, describe, test } from "node:test";
import { layerFormats } from "../../src/container/layer-format.ts";
import type { LayerFormat } from "../../src/kernel/facts.ts";
import { cannotRun, Engine } from "../engine.ts";
import { cannotMountAs } from "../kernel/layer-host.ts";
import { loopDevices } from "../kernel/leaks.ts";
import { busybox, isAlive, removeAll, runDetached, said, until } from "./containers.ts";

const holderOf = (engine: Engine): number => JSON.parse(readFileSync(join(engine.run, "holder"), "utf8")).pid;

const killHolder = async (engine: Engine): Promise<void> => {
  const holder = holderOf(engine);
  process.kill(holder, "SIGKILL");
  await until("the holder is gone", () => !isAlive(holder));
};

const mountsOf = (engine: Engine): readonly string[] => {
  const table = readFileSync(`/proc/${holderOf(engine)}/mountinfo`, "utf8").split("\n");
  return table.filter((line) => line.includes(` ${engine.run}/layers/`));
};

/** Whatever mounted layers take beside their tars and indexes. */
const traces = (engine: Engine): readonly string[] => {
  const extracted = join(engine.root, "extracted");
  return [
    ...mountsOf(engine),
    ...loopDevices(engine.directory).keys(),
    ...(existsSync(extracted) ? readdirSync(extracted) : []),
  ];
};

/** What shows that it is this format and no other. */
const has: Readonly<Record<LayerFormat, (engine: Engine) => boolean>> = {
  file: (engine) => loopDevices(engine.directory).size === 0 && mountsOf(engine).every((line) => / erofs /.test(line)),
  loop: (engine) => loopDevices(engine.directory).size === 2 * mountsOf(engine).length,
  directory: (engine) => readdirSync(join(engine.root, "extracted")).length === mountsOf(engine).length,
};

for (const format of layerFormats) {
  describe(`containers on layers mounted as ${format}`, { skip: cannotRun() || cannotMountAs(format) }, () => {
    let engine: Engine;
    before(async () => {
      engine = await Engine.launch({ layerFormat: format });
      await engine.load();
    });
    after(() => engine.stop());

    test("share them, and each has its own changes", async () => {
      const [one, two] = await Promise.all(
        ["one", "two"].map((name) => runDetached(engine, "--name", name, busybox, "sleep", "1000")),
      );
      const count = mountsOf(engine).length;
      assert.ok(count > 0 && has[format](engine));
      await said(
        engine,
        "exec",
        one!,
        "sh",
        "-c",
        "echo changed >/etc/passwd; rm /etc/group; chmod 600 /bin; ln /etc/shadow /etc/linked",
      );
      assert.match(await said(engine, "exec", two!, "cat", "/etc/passwd", "/etc/group"), /root:x:0:0/);
      assert.equal(await said(engine, "exec", one!, "cat", "/etc/passwd"), "changed");
      assert.equal(mountsOf(engine).length, count);
      assert.match(
        await said(engine, "info"),
        { file: /from files/, loop: /loop devices/, directory: /extracted/ }[format],
      );
      await removeAll(engine);
    });

    test("keep them while one of them lives, whoever removes the image, and leave nothing", async () => {
      await runDetached(engine, "--name", "user", busybox, "sleep", "1000");
      assert.notEqual((await engine.docker(["rmi", busybox])).code, 0);
      await said(engine, "create", "--name", "sleeper", busybox, "cat", "/etc/passwd");
      await said(engine, "rm", "--force", "user");
      await said(engine, "rmi", "--force", busybox);
      assert.match(await said(engine, "start", "--attach", "sleeper"), /root:x:0:0/);
      assert.ok(has[format](engine));
      await said(engine, "rm", "sleeper");
      await until("no trace is left", () => traces(engine).length === 0);
      await engine.load();
    });

    test("go on when daemon and holder are killed, and others start beside them", async () => {
      const id = await runDetached(engine, busybox, "sleep", "1000");
      await engine.kill9();
      await killHolder(engine);
      await engine.restart();
      assert.match(await said(engine, "exec", id, "cat", "/etc/passwd"), /root:x:0:0/);
      assert.match(await said(engine, "run", "--rm", busybox, "cat", "/etc/passwd"), /root:x:0:0/);
      assert.ok(mountsOf(engine).length > 0);
      await removeAll(engine);
    });
  });
}

const script = `
  set -e
  if [ ! -e /written ]; then
    echo mine >>/etc/passwd
    rm /etc/group
    mv /etc/shadow /etc/moved
    chmod 700 /home
    touch /written
  fi
  tail -n 1 /etc/passwd
  wc -c </etc/moved
  find /etc /home -xdev -type f ! -name host* ! -name resolv.conf | sort | xargs stat -c "%n %s %f %u:%g %Y %h"
  find /etc /home -xdev ! -type f | sort | xargs stat -c "%n %f %u:%g %Y"
`;

describe("a root that was used with one format", { skip: cannotRun() }, () => {
  let engine: Engine;
  const use = async (format: LayerFormat): Promise<void> => {
    engine.layerFormat = format;
    await engine.restart();
  };
  before(async () => {
    engine = await Engine.launch({ layerFormat: "directory" });
    await engine.load();
  });
  after(() => engine.stop());
  afterEach(() => removeAll(engine));

  test("goes on with another: containers find what they wrote, and what the image has", async () => {
    const first = await said(engine, "run", "--name", "old", busybox, "sh", "-c", script);
    assert.match(first, /^mine\n/);
    const formats = layerFormats.filter((format) => cannotMountAs(format) === false);
    for (const format of [...formats, "directory"] as const) {
      await engine.kill9();
      // As after the machine's next start, nothing is mounted yet.
      await killHolder(engine);
      await use(format);
      const again = await said(engine, "start", "--attach", "old");
      assert.deepEqual(again.split("\n"), first.split("\n"));
    }
  });

  test("is whole again when the daemon was killed in the middle of an extraction", async () => {
    await said(engine, "rmi", busybox);
    await engine.load();
    await use("directory");
    const extracted = join(engine.root, "extracted");
    const begun = new Promise<void>((resolve) => {
      const watcher = watch(extracted, () => {
        watcher.close();
        resolve();
      });
    });
    const run = engine.docker(["run", "--rm", busybox, "true"]);
    await begun;
    await engine.kill9();
    await run;
    await engine.restart();
    assert.deepEqual(
      readdirSync(extracted).filter((name) => name.startsWith(".")),
      [],
    );
    assert.match(await said(engine, "run", "--rm", busybox, "cat", "/etc/passwd"), /root:x:0:0/);
    await said(engine, "rmi", busybox);
    await until("no trace is left", () => traces(engine).length === 0);
  });
});
