/** What the tests of a daemon that is killed, or whose keepers are, ask of it: each in one word. */
import assert from "node:assert/strict";
import type { Answer, Engine } from "../engine.ts";

export interface Inspected {
  readonly Name: string;
  readonly State: Record<string, unknown>;
  readonly HostConfig: Record<string, unknown>;
}

/** The answer is that it is done. */
export const succeeds = async (answered: Promise<Answer>): Promise<void> => {
  const { status, body } = await answered;
  assert.ok(status < 300, body);
};

export class Requests {
  readonly #engine: Engine;

  constructor(engine: Engine) {
    this.#engine = engine;
  }

  post(target: string, body?: object): Promise<Answer> {
    return this.#engine.request("POST", target, body === undefined ? undefined : JSON.stringify(body));
  }

  /** Undefined when there is none. */
  async inspect(id: string): Promise<Inspected | undefined> {
    const { status, body } = await this.#engine.request("GET", `/containers/${id}/json`);
    return status === 200 ? JSON.parse(body) : undefined;
  }

  async created(body: object, target = "/containers/create"): Promise<string> {
    const answer = await this.post(target, body);
    assert.equal(answer.status, 201, answer.body);
    return JSON.parse(answer.body).Id;
  }

  start(id: string): Promise<Answer> {
    return this.post(`/containers/${id}/start`);
  }

  async running(body: object): Promise<string> {
    const id = await this.created(body);
    const answer = await this.start(id);
    assert.equal(answer.status, 204, answer.body);
    return id;
  }

  async remove(id: string): Promise<void> {
    const answer = await this.#engine.request("DELETE", `/containers/${id}?force=1&v=1`);
    assert.equal(answer.status, 204, answer.body);
  }

  async pidOf(id: string): Promise<number> {
    return Number((await this.inspect(id))?.State.Pid);
  }
}
