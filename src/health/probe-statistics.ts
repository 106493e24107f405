import type { ProbeOutcome } from './outcome.ts';
import { latencyBucketsMs } from './worker-protocol.ts';
import type { ProbeSample, ProbeTotals } from './worker-protocol.ts';

interface Totals {
  readonly outcomes: Record<string, number>;
  readonly latency: number[];
  latencySumMs: number;
}

/** Counts probes by type and keeps the last of each target until it is told. */
export class ProbeStatistics {
  readonly #byType = new Map<string, Totals>();
  readonly #samples = new Map<number, ProbeSample>();

  /** What there is to tell; afterwards nothing is, until more probes finish. */
  take(): { samples: ProbeSample[]; totals: ProbeTotals[] } {
    const samples = [...this.#samples.values()];
    this.#samples.clear();
    return { samples, totals: [...this.#byType].map(([type, totals]) => ({ type, ...totals })) };
  }

  get isEmpty(): boolean {
    return this.#samples.size === 0;
  }

  forget(probeId: number): void {
    this.#samples.delete(probeId);
  }

  add(
    type: string,
    outcome: ProbeOutcome,
    { probeId, atMs, latencyMs }: Pick<ProbeSample, 'probeId' | 'atMs' | 'latencyMs'>,
  ): void {
    const name = outcome.kind === 'passed' ? 'passed' : outcome.reason;
    const certificateEndsMs = outcome.kind === 'passed' ? outcome.certificateEndsMs : undefined;
    this.#samples.set(probeId, { probeId, atMs, latencyMs, outcome: name, certificateEndsMs });
    let totals = this.#byType.get(type);
    if (totals === undefined) {
      totals = { outcomes: {}, latency: latencyBucketsMs.map(() => 0), latencySumMs: 0 };
      this.#byType.set(type, totals);
    }
    totals.outcomes[name] = (totals.outcomes[name] ?? 0) + 1;
    if (outcome.kind === 'void') return;
    totals.latencySumMs += latencyMs;
    for (const [index, limit] of latencyBucketsMs.entries())
      if (latencyMs <= limit) totals.latency[index] = (totals.latency[index] ?? 0) + 1;
  }
}
