import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { ImageSummary } from "../../api/answers/images.ts";
import type { DiffId, ImageId } from "../../base/ids.ts";
import type { ImageRecord } from "../../image/record.ts";
import { ask, makeImage, World } from "../test-services.ts";

const hour = 3_600_000;
const labelled = (Labels: Record<string, string>) => ({ config: { ...makeImage().config, Labels } });
const image = (digit: string, more: Partial<ImageRecord>): ImageRecord =>
  makeImage({ id: `sha256:${digit.repeat(64)}` as ImageId, tags: [], ...more });

const images = [
  image("1", { tags: ["old:1"], created: "2020-01-01T00:00:00Z", ...labelled({ tier: "back" }) }),
  image("2", {
    tags: ["team/app-2:1", "team/app-x:1"],
    created: "2022-01-01T00:00:00Z",
    ...labelled({ tier: "web", a: "" }),
  }),
  image("3", { created: new Date(Date.now() - hour).toISOString() }),
];

/** The images that pass, by the first digit of their ids. */
const found = async (filters: object): Promise<string> => {
  await using world = await World.open({}, { list: () => images, get: (name) => images[Number(name)]! });
  const answer = await ask(world, "GET", `/images/json?filters=${encodeURIComponent(JSON.stringify(filters))}`);
  if (answer.status !== 200) return `${answer.status} ${JSON.parse(answer.body).message}`;
  const summaries: readonly ImageSummary[] = JSON.parse(answer.body);
  return summaries.map(({ Id }) => Id.at(-1)).join("");
};

describe("images are listed", () => {
  it("the youngest first, all of them or those without a name, or with one", async () => {
    assert.equal(await found({}), "321");
    assert.equal(await found({ dangling: ["true"] }), "3");
    assert.equal(await found({ dangling: ["0"] }), "21");
    assert.equal(await found({ dangling: ["no"] }), "400 invalid filter 'dangling=no'");
  });

  it("that are older or younger than another, or than a moment", async () => {
    assert.equal(await found({ before: ["1"] }), "1");
    assert.equal(await found({ since: ["1"] }), "3");
    assert.equal(await found({ since: ["0"], before: ["2"] }), "2");
    assert.equal(await found({ until: ["2h"] }), "21");
    assert.equal(await found({ until: ["10m"] }), "321");
    assert.equal(await found({ until: ["2021-01-01"] }), "1");
    assert.equal(await found({ until: ["1609459200"] }), "1");
    assert.equal(await found({ until: ["soon"] }), "400 invalid filter 'until=soon'");
    assert.equal(await found({ until: ["1h", "2h"] }), "400 more than one until filter specified");
  });

  it("that have every label that is asked for", async () => {
    assert.equal(await found({ label: ["tier"] }), "21");
    assert.equal(await found({ label: ["tier=web", "a"] }), "2");
    assert.equal(await found({ label: ["tier=web", "b"] }), "");
  });

  it("by patterns of their names, as Go's path.Match has them", async () => {
    assert.equal(await found({ reference: ["old", "team/*"] }), "21");
    assert.equal(await found({ reference: ["team/app-[0-9]"] }), "2");
    assert.equal(await found({ reference: ["team/app-[^0-9x]"] }), "");
    assert.equal(await found({ reference: ["team/\\*"] }), "");
    assert.equal(await found({ reference: ["o\\ld:?"] }), "1");
    assert.equal(await found({ reference: ["*"] }), "1", "a slash is not passed over");
    assert.equal(await found({ reference: ["old", "["] }), "400 invalid filter 'reference=['");
  });

  it("with the size of the layers that others have as well, if that is asked for", async () => {
    const layers = ["a", "b", "c"].map((digit) => `sha256:${digit.repeat(64)}` as DiffId);
    const [a, b, c] = layers as [DiffId, DiffId, DiffId];
    const own = [image("1", { layers: [a, b, b], tags: ["x:1"] }), image("2", { layers: [a, c, c] })];
    await using world = await World.open({}, { list: () => own, layerSize: (layer) => 10 ** layers.indexOf(layer) });
    const sizes = async (query: string): Promise<readonly number[]> => {
      const summaries: readonly ImageSummary[] = JSON.parse((await ask(world, "GET", `/images/json?${query}`)).body);
      return summaries.map(({ SharedSize }) => SharedSize);
    };
    assert.deepEqual(await sizes(""), [-1, -1]);
    assert.deepEqual(await sizes("shared-size=1"), [1, 1]);
    // The other image counts, though it is not shown.
    assert.deepEqual(await sizes(`shared-size=1&filters=${encodeURIComponent('{"dangling":["false"]}')}`), [1]);
  });
});
