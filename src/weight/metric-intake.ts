import type { MetricSample } from './types.ts';

/** Why a sample was left out, for `explain`, for the verdict and for whoever counts. */
export type MetricRejection =
  | 'NotANumber'
  | 'Negative'
  | 'Huge'
  | 'ClockAhead'
  | 'SeenBefore'
  | 'TooOld'
  | 'WindowOutOfRange'
  | 'NothingToCompareWith'
  | 'NotWatched'
  | 'TooYoung';

/** Of everything that comes in. */
export type InputRejection = MetricRejection | 'ImpossibleReading';

export const rejectionTexts: Readonly<Record<MetricRejection, string>> = {
  NotANumber: 'a value is missing or not a number',
  Negative: 'a value is negative',
  Huge: 'more CPU than the server can have',
  ClockAhead: 'its timestamp is in the future: the clocks differ by more than 5 s',
  SeenBefore: 'it was seen before, or is older than one that was',
  TooOld: 'it is older than the history of the connections',
  WindowOutOfRange: 'its window is not between 5 s and 2 min',
  NothingToCompareWith: 'it gives cores, and not every server of the pool has a CPU limit, request or weight',
  NotWatched: 'the directors were not heard during its whole window, or a counter started over in it',
  TooYoung: 'the server had just been added',
};

/**
 * The newest samples of one server, until a tick takes them. A timestamp is later than the last one that was taken:
 * metrics-server serves the same sample again until the kubelet has a new one.
 */
export class MetricIntake {
  #waiting: MetricSample[] = [];
  #takenMs = -Infinity;

  offer(sample: MetricSample): void {
    const isHere = this.#waiting.some(({ timestampMs }) => timestampMs === sample.timestampMs);
    if (isHere) return;
    this.#waiting.push(sample);
    if (this.#waiting.length > mostWaiting) this.#waiting.shift();
  }

  /**
   * Hands out the samples whose window lies in a part of the past that is known by now, and with their fault those of
   * which no use can be made.
   */
  take(
    nowMs: number,
    knownUntilMs: number,
    use: (sample: MetricSample, fault: MetricRejection | undefined) => void,
  ): void {
    if (this.#waiting.length === 0) return;
    const later: MetricSample[] = [];
    for (const sample of this.#waiting) {
      const isOld = sample.timestampMs <= this.#takenMs;
      const fault = isOld ? 'SeenBefore' : judge(sample, nowMs);
      if (fault === undefined && sample.timestampMs > knownUntilMs) {
        later.push(sample);
        continue;
      }
      if (fault === undefined) this.#takenMs = sample.timestampMs;
      use(sample, fault);
    }
    this.#waiting = later;
  }
}

/** Timestamps have whole seconds, and clocks in a cluster differ a little. A later one is of no use before its time. */
const clockToleranceMs = 5000;
/** What the history of the connections reaches back, less a reserve. */
const oldestMs = 180_000;
const shortestWindowMs = 5000;
const longestWindowMs = 120_000;
/** Far beyond any machine; what a server can have in particular is judged where its capacity is known. */
const mostCores = 10_000;
const mostWaiting = 8;

function judge(sample: MetricSample, nowMs: number): MetricRejection | undefined {
  const { timestampMs, windowMs, cpuCores, utilisation, memory, disk, processes, responseMs } = sample;
  const used = utilisation ?? cpuCores;
  const values = [used, memory, disk, processes, responseMs].filter((value) => value !== undefined);
  if (values.length === 0 || !Number.isFinite(timestampMs) || !Number.isFinite(windowMs)) return 'NotANumber';
  if (!values.every((value) => Number.isFinite(value))) return 'NotANumber';
  if (values.some((value) => value < 0)) return 'Negative';
  if (cpuCores !== undefined && utilisation === undefined && cpuCores > mostCores) return 'Huge';
  if (timestampMs > nowMs + clockToleranceMs) return 'ClockAhead';
  if (windowMs < shortestWindowMs || windowMs > longestWindowMs) return 'WindowOutOfRange';
  return nowMs - timestampMs + windowMs > oldestMs ? 'TooOld' : undefined;
}
