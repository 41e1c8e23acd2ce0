/** Contexts that were read before: only what has changed is asked for, and what is built is what a build of all of it is. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, renameSync, rmSync, symlinkSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { cannotRun, Engine } from "../engine.ts";
import { addBuildx, base, buildxMissing, makeContext, printed } from "./contexts.ts";

const megabyte = 1024 * 1024;

describe("a context that was read before", { skip: cannotRun() || buildxMissing }, () => {
  let engine: Engine;
  before(async () => {
    engine = await Engine.launch();
    await engine.load();
    addBuildx(engine);
  });
  after(() => engine.stop());

  /** Bytes that a process has read so far, of files and of its clients. */
  const readBy = (pid: number): number => Number(/^rchar: (\d+)$/m.exec(readFileSync(`/proc/${pid}/io`, "utf8"))?.[1]);

  for (const [name, build] of [
    ["pier", (...args: readonly string[]) => engine.pier(["build", ...args])],
    ["buildx", (...args: readonly string[]) => engine.docker(["build", ...args])],
  ] as const) {
    const built = async (directory: string): Promise<string> => {
      const { code, stderr } = await build("-t", `changed-${name}`, directory);
      assert.equal(code, 0, stderr);
      return printed(
        engine,
        `changed-${name}`,
        "sh",
        "-c",
        "cd /c; find . -type f -size -9k | sort | xargs tail -n 9; find . | sort",
      );
    };

    test(`is asked of ${name} for what has changed alone`, async () => {
      const directory = makeContext(engine, { Dockerfile: `FROM ${base}\nCOPY . /c\n`, small: "one" });
      writeFileSync(join(directory, "large"), Buffer.alloc(64 * megabyte, "x"));
      await built(directory);
      writeFileSync(join(directory, "small"), "two");
      const start = readBy(engine.pid);
      assert.match(await built(directory), /==> \.\/small <==\ntwo/);
      const again = readBy(engine.pid);
      // The layer that is new has the large file as well, from what is here.
      assert.ok(again - start < 80 * megabyte, `${again - start} bytes were read`);
      await built(directory);
      assert.ok(readBy(engine.pid) - again < 8 * megabyte, `${readBy(engine.pid) - again} bytes were read`);
    });

    test(`is what ${name} has now, whatever has come, gone and changed its kind`, async () => {
      const directory = makeContext(engine, {
        Dockerfile: `FROM ${base}\nCOPY . /c\n`,
        ...{ a: "a1", "d/b": "b1", "d/e/f": "f1", "d/e/g": "g1", link: { link: "a" } },
      });
      const place = (path: string): string => join(directory, path);
      const steps: readonly (() => void)[] = [
        () => writeFileSync(place("a"), "another length"),
        () => rmSync(place("d/e"), { recursive: true }),
        () => writeFileSync(place("d/e"), "a file now"),
        () => {
          rmSync(place("d/e"));
          mkdirSync(place("d/e"));
          writeFileSync(place("d/e/h"), "h1");
        },
        () => renameSync(place("d/b"), place("moved")),
        () => {
          rmSync(place("link"));
          symlinkSync("moved", place("link"));
        },
        () => execFileSync("chmod", ["755", place("a")]),
        // Of the same size, at another time.
        () => {
          writeFileSync(place("moved"), "b2");
          utimesSync(place("moved"), 1, 1);
        },
        () => execFileSync("ln", [place("a"), place("hard")]),
        () => rmSync(place("hard")),
        () => writeFileSync(place(".dockerignore"), "d\n"),
        () => rmSync(place(".dockerignore")),
        ...Array.from({ length: 14 }, (_, index) => () => writeFileSync(place(`more-${index}`), String(index))),
      ];
      await built(directory);
      for (const [index, step] of steps.entries()) {
        step();
        const found = await built(directory);
        // A directory of another name was never read: all of it is.
        const copy = `${directory}-${index}`;
        execFileSync("cp", ["-a", directory, copy]);
        assert.equal(found, await built(copy), `after ${step}`);
        rmSync(copy, { recursive: true });
      }
    });

    test(`of ${name} is listed with the cache, and read anew when it was pruned`, async () => {
      const directory = makeContext(engine, { Dockerfile: `FROM ${base}\nCOPY . /c\n`, a: "a" });
      const before = await built(directory);
      const listed = async () => (await engine.request("GET", "/system/df?type=build-cache")).body;
      assert.match(await listed(), /source\.local/);
      const pruned = await engine.docker(["builder", "prune", "--all", "--force", "--filter", "type=source.local"]);
      assert.equal(pruned.code, 0, pruned.stderr);
      assert.doesNotMatch(await listed(), /source\.local/);
      assert.equal(await built(directory), before);
    });
  }
});
