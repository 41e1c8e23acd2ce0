/** What was made lately, so that it need not be made again at once; of more than the limit, what was not asked for longest goes. */
export class Recent<V> {
  readonly #limit: number;
  readonly #made = new Map<string | number, V>();

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** The value of this key, made now if it is not there. What cannot be made is an error, each time. */
  get(key: string | number, make: () => V): V {
    const known = this.#made.get(key);
    const value = known ?? make();
    // A map keeps the order in which its keys came.
    if (known !== undefined) this.#made.delete(key);
    this.#made.set(key, value);
    if (this.#made.size > this.#limit) this.#made.delete(this.#made.keys().next().value!);
    return value;
  }
}
