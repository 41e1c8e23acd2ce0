/** What a terminal shows of a pull: a small model of it takes what is written. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ProgressScreen } from "./progress-screen.ts";

/** As much of a terminal as the screen uses: lines, the way up, and the end of a line wiped out. Else it is as if written. */
class Model {
  readonly lines: string[] = [""];
  #row = 0;
  #column = 0;

  write(text: string): void {
    for (const [part] of text.matchAll(/\x1b\[\d*[AK]|\r|\n|\x1b|[^\x1b\r\n]+/g)) {
      const line = this.lines[this.#row]!;
      const up = /^\x1b\[(\d+)A$/.exec(part)?.[1];
      if (up !== undefined) this.#row -= Number(up);
      else if (part === "\r") this.#column = 0;
      else if (part === "\x1b[K") this.lines[this.#row] = line.slice(0, this.#column);
      else if (part === "\n") {
        this.lines[++this.#row] ??= "";
        this.#column = 0;
      } else {
        this.lines[this.#row] = line.slice(0, this.#column) + part + line.slice(this.#column + part.length);
        this.#column += part.length;
      }
    }
  }
}

const screen = (): {
  readonly model: Model;
  readonly shown: ProgressScreen;
  readonly at: (milliseconds: number) => void;
} => {
  const model = new Model();
  let now = 0;
  const at = (milliseconds: number): void => {
    now = milliseconds;
  };
  const shown = new ProgressScreen(
    1,
    () => now,
    (text) => model.write(text),
  );
  return { model, shown, at };
};

const downloading = (id: string, current: number, total: number) => ({
  ...{ id, status: "Downloading", progressDetail: { current, total } },
});

describe("the progress of a pull", () => {
  test("is a line for each layer with bytes, speed and time left, and one for all together", () => {
    const { model, shown, at } = screen();
    shown.show({ status: "Pulling from app", id: "1" });
    for (const id of ["aaa", "bbb"]) shown.show({ id, status: "Pulling fs layer", progressDetail: {} });
    shown.show(downloading("aaa", 1_000_000, 10_000_000));
    at(2000);
    shown.show(downloading("aaa", 5_000_000, 10_000_000));
    assert.equal(model.lines[0], "1: Pulling from app");
    assert.match(model.lines[1]!, /^aaa: Downloading +\[=+> +\] 5MB\/10MB 2MB\/s 3s$/);
    assert.equal(model.lines[2], "bbb: Pulling fs layer");
    assert.match(model.lines[3]!, /^all: 0 of 2 layers +\[=+> +\] 5MB\/10MB 2MB\/s 3s$/);

    shown.show({ id: "aaa", status: "Download complete", progressDetail: {} });
    assert.match(model.lines[3]!, /^all: 0 of 2 layers/);
    shown.show({ id: "aaa", status: "Pull complete", progressDetail: {} });
    shown.show({ id: "bbb", status: "Already exists", progressDetail: {} });
    assert.match(model.lines[1]!, /^aaa: Pull complete +10MB$/);
    assert.match(model.lines[3]!, /^all: 2 of 2 layers/);
    shown.show({ status: "Digest: sha256:0" });
    assert.deepEqual(
      model.lines.filter((line) => /^(Digest|all)/.test(line)).map((line) => line.split(" ")[0]),
      ["Digest:", "all:"],
    );
  });

  test("steers no terminal, and is no wider than one", () => {
    const { model, shown, at } = screen();
    at(1000);
    shown.show({ id: `x\x1b[31m${"y".repeat(200)}`, status: "Down\x07loading", progressDetail: {} });
    assert.match(model.lines[0]!, /^x.*y$/);
    assert.ok(model.lines.every((line) => line.length < 80 && !/[\x00-\x1f]/.test(line)));
  });
});
