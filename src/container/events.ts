/** What happened to a container, told to whoever listens. */
import type { ContainerRecord } from "./record.ts";

export interface ContainerEvent {
  /** Nanoseconds since 1970; never the same twice, never going back. */
  readonly time: bigint;
  readonly action: string;
  readonly id: string;
  readonly attributes: Readonly<Record<string, string>>;
}

export type EventListener = (event: ContainerEvent) => void;

export class ContainerEvents {
  readonly #listeners = new Set<EventListener>();
  #last = 0n;

  listen(listener: EventListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  emit(action: string, record: ContainerRecord, more: Readonly<Record<string, string>> = {}): void {
    const now = BigInt(Date.now()) * 1_000_000n;
    this.#last = now > this.#last ? now : this.#last + 1n;
    const attributes = { ...record.request.labels, ...more, image: record.image.reference, name: record.name };
    const event: ContainerEvent = { time: this.#last, action, id: record.id, attributes };
    for (const listener of this.#listeners) listener(event);
  }
}
