/** What registries are asked without anything being taken from them. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { cannotRun, Engine } from "../engine.ts";
import { ChaosRegistry } from "../registry/chaos.ts";
import { noisyTar, putImage, putIndex } from "../registry/rooms.ts";

const found = [
  { name: "box", description: "A box.", star_count: 3000, is_official: true, is_automated: false },
  { name: "me/box", description: "", star_count: 200, is_official: false, is_automated: false },
  { name: "you/box", description: "", star_count: 1, is_official: false, is_automated: false },
];

describe("a registry", { skip: cannotRun() }, () => {
  let engine: Engine;
  before(async () => {
    engine = await Engine.launch();
  });
  after(() => engine.stop());

  test("is searched by both commands, as narrowly as is asked for", async () => {
    await using registry = await ChaosRegistry.start();
    registry.fault = ({ response, path }) => {
      if (path !== "/v1/search") return false;
      response.writeHead(200, { "Content-Type": "application/json" }).end(JSON.stringify({ results: found }));
      return true;
    };
    for (const client of ["docker", "pier"] as const) {
      const search = async (...flags: readonly string[]) => {
        const format = "{{.Name}} {{.StarCount}} {{.IsOfficial}}";
        const ran = await engine[client](["search", ...flags, "--format", format, `${registry.host}/box`]);
        assert.equal(ran.code, 0, ran.stderr);
        return ran.stdout
          .trimEnd()
          .split("\n")
          .map((line) => line.trimEnd());
      };
      assert.deepEqual(await search("--limit", "7"), ["box 3000 [OK]", "me/box 200", "you/box 1"]);
      assert.equal(registry.asked.at(-1)?.path, "/v1/search?q=box&n=7");
      assert.deepEqual(await search("--filter", "is-official=true"), ["box 3000 [OK]"]);
      assert.deepEqual(await search("--filter", "is-official=false", "--filter", "stars=100"), ["me/box 200"]);
      const many = await engine[client](["search", "--limit", "101", `${registry.host}/box`]);
      assert.notEqual(many.code, 0);
    }
  });

  test("tells of an index what it lists, and for which machines", async () => {
    await using registry = await ChaosRegistry.start();
    const put = async (architecture: string, seed: number) => ({
      image: putImage(registry, "app", architecture, [await noisyTar(1000, seed)], { config: { architecture } }),
      platform: { os: "linux", architecture },
    });
    const index = putIndex(registry, "app", "all", [await put("amd64", 1), await put("s390x", 2)]);
    const bytes = Buffer.from(registry.manifests.get("app all")!.bytes).toString();
    const name = `${registry.host}/app:all`;

    const plain = await engine.pier(["manifest", "inspect", name]);
    assert.equal(plain.stdout, `${bytes}\n`, plain.stderr);
    const { Ref, Descriptor, Manifest } = JSON.parse((await engine.pier(["manifest", "inspect", "-v", name])).stdout);
    assert.deepEqual([Ref, Descriptor.digest, Descriptor.size], [name, index.digest, index.size]);
    assert.deepEqual(Manifest, JSON.parse(bytes));

    const answer = JSON.parse((await engine.request("GET", `/distribution/${name}/json`)).body);
    assert.equal(answer.Descriptor.digest, index.digest);
    assert.deepEqual(
      answer.Platforms.map(({ architecture }: { architecture: string }) => architecture),
      ["amd64", "s390x"],
    );
    assert.equal((await engine.docker(["inspect", name])).code, 1);
  });
});
