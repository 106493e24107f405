import type { Eyes } from './director-eyes.ts';

/** A weight as the kernel had it from that moment on; undefined: the real server was not there. */
export interface WeightChange {
  /** Of `performance.now`. */
  readonly atMs: number;
  readonly weight: number | undefined;
}

const lookEveryMs = 100;
/** A timer is never exact; lateness up to this is not the machine's. */
const toleranceMs = 10;

/** Looks at the kernel's table all the time, and writes down when weights change. */
export class WeightWatch {
  readonly #eyes: Eyes;
  readonly #changes = new Map<string, WeightChange[]>();
  readonly #timer: NodeJS.Timeout;
  /** How late each look was that was late. */
  readonly #late: { readonly atMs: number; readonly byMs: number }[] = [];
  #lastLookMs: number | undefined;

  constructor(eyes: Eyes) {
    this.#eyes = eyes;
    this.look();
    this.#timer = setInterval(() => this.look(), lookEveryMs);
  }

  /** From the first look on, oldest first. */
  changesOf(service: string, realServer: string): readonly WeightChange[] {
    return this.#changes.get(`${service} ${realServer}`) ?? [];
  }

  /** The first change after a moment to no weight at all. */
  outAfter(service: string, realServer: string, sinceMs: number): WeightChange | undefined {
    return this.changesOf(service, realServer).find(
      ({ atMs, weight }) => atMs >= sinceMs && (weight ?? 0) === 0,
    );
  }

  /**
   * What this machine stole from everybody between two moments, by what it stole from these looks. A lab has one CPU, of a
   * machine that may be busy with others; a check is as late as its program.
   */
  stolenMs(fromMs: number, toMs: number): number {
    let sum = 0;
    for (const { atMs, byMs } of this.#late) if (atMs >= fromMs && atMs <= toMs) sum += byMs;
    return Math.round(sum);
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /** Looks now, so that what is there already is no change of later. */
  look(): void {
    const atMs = performance.now();
    const byMs = atMs - (this.#lastLookMs ?? atMs) - lookEveryMs;
    if (byMs > toleranceMs) this.#late.push({ atMs, byMs });
    this.#lastLookMs = atMs;
    const there = new Map<string, number>();
    for (const [service, { realServers }] of this.#eyes.table())
      for (const [key, { config }] of realServers) there.set(`${service} ${key}`, config.weight);
    for (const key of new Set([...there.keys(), ...this.#changes.keys()])) {
      const changes = this.#changes.get(key) ?? [];
      const weight = there.get(key);
      if (changes.length > 0 && changes.at(-1)?.weight === weight) continue;
      this.#changes.set(key, [...changes, { atMs, weight }]);
    }
  }
}
