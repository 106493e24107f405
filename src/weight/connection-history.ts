/**
 * The counters of one director for one real server over the last minutes, so that what happened in a window of the
 * past can be told: arrivals, and the area under the active connections.
 *
 * Points are kept where the total moved, because the kernel moves it every 2 s only (the estimator of ip_vs_est.c)
 * while the active count is read live; between two such points the total is taken to have grown evenly. A ring of
 * plain numbers: 10,000 servers and two directors stay below 100 MB.
 *
 *     total     ·────────·   ·   ·────·      (points; a flat stretch gets one every 3 s)
 *     at        0        2   5   8    10  s
 */
export class ConnectionHistory {
  readonly #points = new Float64Array(capacity * fields);
  #count = 0;
  #next = 0;

  #atMs = -Infinity;
  #total = 0;
  #rawTotal = 0;
  #active = 0;
  #area = 0;
  #brokenAtMs = -Infinity;

  /** When the last reading was made. */
  get lastReadingMs(): number {
    return this.#atMs;
  }

  /** Up to when the total is known. */
  get knownUntilMs(): number {
    return this.#count === 0 ? -Infinity : this.#at(this.#count - 1, 0);
  }

  /** From when on anything is known. */
  get knownSinceMs(): number {
    return this.#count === 0 ? Infinity : this.#at(0, 0);
  }

  get active(): number {
    return this.#active;
  }

  /** The last time that the counter started over or that nobody watched: what lies around it is not comparable. */
  get brokenAtMs(): number {
    return this.#brokenAtMs;
  }

  /** @returns whether the reading could be true */
  add(atMs: number, rawTotal: number, active: number): boolean {
    if (!(atMs > this.#atMs) || !isCount(rawTotal) || !isCount(active)) return false;
    const isFirst = this.#count === 0;
    const isRestarted = !isFirst && rawTotal < this.#rawTotal;
    const arrived = isFirst ? 0 : isRestarted ? rawTotal : rawTotal - this.#rawTotal;
    const elapsedMs = isFirst ? 0 : atMs - this.#atMs;
    if (arrived > 1 + largestRatePerMs * elapsedMs) return false;
    if (isRestarted || elapsedMs > longestGapMs) this.#brokenAtMs = atMs;
    this.#area += (elapsedMs * (this.#active + active)) / 2;
    this.#total += arrived;
    this.#rawTotal = rawTotal;
    this.#active = active;
    this.#atMs = atMs;
    if (isFirst || arrived > 0 || atMs - this.knownUntilMs >= flatPointMs) this.#push();
    return true;
  }

  /** The total, the active connections and the area (connection milliseconds) at a time, as far as known. */
  read(atMs: number, out: HistoryPoint): void {
    const after = this.#firstAfter(atMs);
    if (after === 0) return this.#copy(0, out);
    if (after === this.#count) {
      // Past the last point: the total has not moved since, and the area is known up to the last reading.
      this.#copy(after - 1, out);
      if (atMs > out.atMs && this.#atMs > out.atMs) {
        const part = Math.min(1, (atMs - out.atMs) / (this.#atMs - out.atMs));
        out.active += (this.#active - out.active) * part;
        out.area += (this.#area - out.area) * part;
      }
      out.atMs = atMs;
      return;
    }
    const from = this.#at(after - 1, 0);
    const part = (atMs - from) / (this.#at(after, 0) - from);
    out.atMs = atMs;
    out.total = mix(this.#at(after - 1, 1), this.#at(after, 1), part);
    out.active = mix(this.#at(after - 1, 2), this.#at(after, 2), part);
    out.area = mix(this.#at(after - 1, 3), this.#at(after, 3), part);
  }

  #push(): void {
    // A newest point that is too near to the one before gives way to the next: the ring must reach back far enough.
    const isCrowded =
      this.#count >= 2 && this.#at(this.#count - 1, 0) - this.#at(this.#count - 2, 0) < pointSpacingMs;
    if (isCrowded) this.#next = (this.#next + capacity - 1) % capacity;
    else if (this.#count < capacity) this.#count++;
    this.#points.set([this.#atMs, this.#total, this.#active, this.#area], this.#next * fields);
    this.#next = (this.#next + 1) % capacity;
  }

  /** The first of the points, oldest first, that is later than a time. */
  #firstAfter(atMs: number): number {
    let low = 0;
    let high = this.#count;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#at(middle, 0) <= atMs) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #at(index: number, field: number): number {
    const slot = (this.#next - this.#count + index + 2 * capacity) % capacity;
    return this.#points[slot * fields + field] ?? 0;
  }

  #copy(index: number, out: HistoryPoint): void {
    out.atMs = this.#at(index, 0);
    out.total = this.#at(index, 1);
    out.active = this.#at(index, 2);
    out.area = this.#at(index, 3);
  }
}

export interface HistoryPoint {
  atMs: number;
  total: number;
  active: number;
  area: number;
}

const fields = 4;
/** With points 1.5 s apart or more: at least 192 s, which is a window of 60 s that is two minutes old. */
const capacity = 128;
const pointSpacingMs = 1500;
/** A total that has not moved for this long has truly not moved, however late the kernel is. */
const flatPointMs = 3000;
/** Silence after which the area under the active connections is a guess. */
const longestGapMs = 10_000;
/** No machine opens more connections to one server than a million a second: a counter that jumps further is not one. */
const largestRatePerMs = 1000;

function isCount(value: number): boolean {
  return Number.isFinite(value) && value >= 0 && value <= Number.MAX_SAFE_INTEGER;
}

function mix(a: number, b: number, part: number): number {
  return a + (b - a) * part;
}
