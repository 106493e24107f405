type Labels = Readonly<Record<string, string>>;

/** Beyond this the pool starts anew: what is in use lives on in the store, and pods to come share among themselves. */
const poolMax = 4096;

/**
 * One object for equal labels. JSON brings a new object and new texts with every pod; the replicas of a workload differ
 * in their names only, so 10,000 pods need a few hundred of these.
 */
export class SharedLabels {
  readonly #pool = new Map<string, Labels>();

  share(labels: Labels): Labels {
    const text = JSON.stringify(labels);
    const known = this.#pool.get(text);
    if (known !== undefined) return known;
    if (this.#pool.size >= poolMax) this.#pool.clear();
    this.#pool.set(text, labels);
    return labels;
  }
}
