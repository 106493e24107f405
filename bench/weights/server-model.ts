/**
 * A server that works on all of its requests at once (processor sharing), each on one core at most.
 *
 * All requests get the same rate, so one clock of its own per server, which runs at that rate, says who is done: a
 * request that needs `work` is done when the clock has moved by as much. The heap is ordered by that.
 */
export class ServerModel {
  /** Cores that the container may use, and what it declares. */
  readonly limit: number;
  /** How fast one core is; what slows it down also makes it use more CPU per request. */
  speed: number;
  /** Part of the cores that somebody takes away without a trace in the pod's CPU metric. */
  stolen = 0;

  active = 0;
  inactive = 0;
  /** Connections ever scheduled here. */
  total = 0;
  /** Core seconds that the metrics see. */
  cpuSeconds = 0;
  /** Used and offered capacity since the start, in work per second. */
  workDone = 0;
  departsAt = Infinity;

  #now = 0;
  #clock = 0;
  #ends = new Float64Array(64);
  #starts = new Float64Array(64);

  constructor(limit: number, speed: number) {
    this.limit = limit;
    this.speed = speed;
  }

  /** Work per second when busy. */
  get capacity(): number {
    return this.limit * (1 - this.stolen) * this.speed;
  }

  advance(now: number): void {
    const elapsed = now - this.#now;
    this.#now = now;
    if (elapsed <= 0 || this.active === 0) return;
    const cores = Math.min(this.active, this.limit * (1 - this.stolen));
    this.cpuSeconds += cores * elapsed;
    this.workDone += cores * this.speed * elapsed;
    this.#clock += (cores / this.active) * this.speed * elapsed;
  }

  arrive(now: number, work: number): void {
    this.advance(now);
    this.total++;
    this.#push(this.#clock + work, now);
    this.schedule();
  }

  /** @returns when the request that is done had come */
  depart(): number {
    this.advance(this.departsAt);
    const start = this.#starts[0] ?? 0;
    this.#clock = Math.max(this.#clock, this.#ends[0] ?? 0);
    this.#pop();
    this.schedule();
    return start;
  }

  /** Call after every change of the speed. */
  schedule(): void {
    if (this.active === 0) {
      this.departsAt = Infinity;
      return;
    }
    const rate = Math.min(1, (this.limit * (1 - this.stolen)) / this.active) * this.speed;
    this.departsAt = this.#now + ((this.#ends[0] ?? 0) - this.#clock) / rate;
  }

  #push(end: number, start: number): void {
    if (this.active === this.#ends.length) {
      this.#ends = grow(this.#ends);
      this.#starts = grow(this.#starts);
    }
    const [ends, starts] = [this.#ends, this.#starts];
    let at = this.active++;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if ((ends[parent] ?? 0) <= end) break;
      ends[at] = ends[parent] ?? 0;
      starts[at] = starts[parent] ?? 0;
      at = parent;
    }
    ends[at] = end;
    starts[at] = start;
  }

  #pop(): void {
    const [ends, starts] = [this.#ends, this.#starts];
    const size = --this.active;
    const end = ends[size] ?? 0;
    const start = starts[size] ?? 0;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= size) break;
      if (child + 1 < size && (ends[child + 1] ?? 0) < (ends[child] ?? 0)) child++;
      if ((ends[child] ?? 0) >= end) break;
      ends[at] = ends[child] ?? 0;
      starts[at] = starts[child] ?? 0;
      at = child;
    }
    ends[at] = end;
    starts[at] = start;
  }
}

function grow(old: Float64Array): Float64Array<ArrayBuffer> {
  const larger = new Float64Array(old.length * 2);
  larger.set(old);
  return larger;
}
