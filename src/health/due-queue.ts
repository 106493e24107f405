/**
 * What is due when: a binary heap, earliest first. Entries are never taken out of the middle; whoever pops an entry that
 * is no longer wanted drops it.
 */
export class DueQueue<Item> {
  readonly #heap: { readonly atMs: number; readonly item: Item }[] = [];

  get size(): number {
    return this.#heap.length;
  }

  /** When the first is due; undefined when there is none. */
  get nextAtMs(): number | undefined {
    return this.#heap[0]?.atMs;
  }

  /** Drops from the front whatever is no longer wanted, up to the first that is. */
  dropWhile(isUnwanted: (item: Item) => boolean): void {
    for (let first = this.#heap[0]; first !== undefined && isUnwanted(first.item); first = this.#heap[0])
      this.popDue(first.atMs);
  }

  push(atMs: number, item: Item): void {
    const entry = { atMs, item };
    let at = this.#heap.push(entry) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      const above = this.#heap[parent];
      if (above === undefined || above.atMs <= atMs) break;
      this.#heap[at] = above;
      at = parent;
    }
    this.#heap[at] = entry;
  }

  /** The first that is due by then; undefined when none is. */
  popDue(nowMs: number): Item | undefined {
    const first = this.#heap[0];
    if (first === undefined || first.atMs > nowMs) return undefined;
    const last = this.#heap.pop();
    if (last !== undefined && last !== first) this.#sink(last);
    return first.item;
  }

  #sink(entry: { readonly atMs: number; readonly item: Item }): void {
    let at = 0;
    for (;;) {
      const left = 2 * at + 1;
      const right = this.#heap[left + 1];
      const child =
        right !== undefined && right.atMs < (this.#heap[left]?.atMs ?? Infinity) ? left + 1 : left;
      const below = this.#heap[child];
      if (below === undefined || below.atMs >= entry.atMs) break;
      this.#heap[at] = below;
      at = child;
    }
    this.#heap[at] = entry;
  }
}
