/** The ways to one registry: the first that works is taken from then on. */
import { PierError } from "../base/errors.ts";
import type { Endpoint } from "./hosts.ts";
import { Passing } from "./retry.ts";

export class Ways {
  #endpoints: readonly Endpoint[];

  constructor(endpoints: readonly Endpoint[]) {
    this.#endpoints = endpoints;
  }

  /** The registry's own way, if it is known already which it is. */
  get host(): string {
    return this.#endpoints.at(-1)!.host;
  }

  /** What `work` resolves to on the first way on which it does; the error of the registry itself when on none. */
  async first<T>(signal: AbortSignal | undefined, work: (endpoint: Endpoint) => Promise<T>): Promise<T> {
    let failure: unknown;
    for (const endpoint of this.#endpoints) {
      try {
        const result = await work(endpoint);
        this.#prefer(endpoint);
        return result;
      } catch (error) {
        signal?.throwIfAborted();
        if (endpoint.isMirror) continue;
        if (!isOfConnection(error)) throw error;
        // Of the plain way nobody need know when the encrypted one has told what is wrong.
        failure ??= error;
      }
    }
    throw failure;
  }

  /** Of a registry that may do without encryption only one way is right; mirrors are asked first each time. */
  #prefer(found: Endpoint): void {
    if (found.isMirror) return;
    this.#endpoints = this.#endpoints.filter((endpoint) => endpoint.isMirror || endpoint === found);
  }
}

const ofConnection: ReadonlySet<string> = new Set([
  "hostUnreachable",
  "notEncrypted",
  "answerCut",
  "certificateInvalid",
]);

/** Nobody answered, or not in the language that was spoken. */
const isOfConnection = (error: unknown): boolean => {
  const inner = error instanceof Passing ? error.error : error;
  return inner instanceof PierError && ofConnection.has(inner.code);
};
