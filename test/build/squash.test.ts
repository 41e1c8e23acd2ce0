/** `--squash`: one layer over the base, with the files that all of them made. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { inspected } from "../docker/containers.ts";
import { cannotRun, Engine } from "../engine.ts";
import { base, makeContext, printed } from "./contexts.ts";

describe("a squashed image", { skip: cannotRun() }, () => {
  let engine: Engine;
  before(async () => {
    engine = await Engine.launch();
    await engine.load();
  });
  after(() => engine.stop());

  const layersOf = async (name: string): Promise<readonly string[]> =>
    JSON.parse(await inspected(engine, "{{json .RootFS.Layers}}", name));

  test("has the files of one that is not, in one layer over its base", async () => {
    const context = makeContext(engine, {
      Dockerfile: `FROM ${base} AS first
RUN mkdir -p /d/e && echo kept > /d/kept && echo gone > /d/e/gone && ln /d/kept /hard && echo two > /x && ln /x /y
FROM first
RUN rm -r /d/e /etc/passwd && echo changed > /d/kept && chmod 700 /d
RUN rm -r /bin/vi && mkdir /bin/vi && touch /bin/vi/file && rm /etc/group && ln -s shadow /etc/group
ENV A=b
CMD ["echo", "ran"]
`,
    });
    const build = async (name: string, ...more: readonly string[]) => {
      const { code, stderr } = await engine.pier(["build", "-t", name, ...more, context]);
      assert.equal(code, 0, stderr);
    };
    await build("whole");
    await build("squashed", "--squash");
    const own = await layersOf(base);
    const squashed = await layersOf("squashed");
    assert.equal(squashed.length, own.length + 1);
    assert.deepEqual(squashed.slice(0, own.length), own);
    const script =
      "find / -xdev | grep -v '^/proc\\|^/sys\\|^/dev' | sort | xargs stat -c '%n %F %a %u %g'; stat -c %h /y; cat /d/kept /hard; readlink /etc/group";
    const [found, wanted] = await Promise.all(
      ["squashed", "whole"].map(async (name) => (await printed(engine, name, "sh", "-c", script)).split("\n")),
    );
    const differ = (a: readonly string[], b: readonly string[]) => a.filter((line) => !b.includes(line));
    assert.deepEqual([differ(found!, wanted!), differ(wanted!, found!)], [[], []]);
    assert.equal(await printed(engine, "squashed"), "ran\n");
    const history = (await engine.docker(["history", "--format", "{{.Size}} {{.Comment}}", "squashed"])).stdout;
    assert.match(history, /^\S+ merge sha256:[0-9a-f]{64} to sha256:[0-9a-f]{64}\n(0B buildkit\.dockerfile\.v0\n)+/);
    // What adds nothing is the base as it is.
    const nothing = makeContext(engine, { Dockerfile: `FROM ${base}\nLABEL a=b\n` });
    assert.equal((await engine.pier(["build", "--squash", "-t", "nothing", nothing])).code, 0);
    assert.deepEqual(await layersOf("nothing"), own);
  });
});
