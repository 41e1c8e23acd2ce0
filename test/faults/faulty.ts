/** A daemon whose keepers fail on order, for the tests of one group: there before them, and gone after them. */
import { after, afterEach, before } from "node:test";
import { removeAll } from "../docker/containers.ts";
import type { Engine } from "../engine.ts";
import { FaultyBuild } from "./keeper.ts";
import { Requests } from "./requests.ts";

export interface Faulty {
  readonly build: FaultyBuild;
  readonly engine: Engine;
  readonly requests: Requests;
}

/** Registers what goes before and after the tests; `begun` is called before the first of them. */
export const useFaultyEngine = (begun: (faulty: Faulty) => void): void => {
  let faulty: Faulty;
  before(async () => {
    const build = new FaultyBuild();
    const engine = await build.launch();
    faulty = { build, engine, requests: new Requests(engine) };
    begun(faulty);
  });
  after(async () => {
    await faulty.engine.stop();
    faulty.build[Symbol.dispose]();
  });
  afterEach(() => removeAll(faulty.engine));
};
