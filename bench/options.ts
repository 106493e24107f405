import type { TableSize } from './content.ts';
import type { HealthAspect } from './health/aspects.ts';

/**
 * programming: the table alone. director: the whole product at that size. traffic: from start to first packet. cluster:
 * controller and director at that size, from the API server's events to the kernel. health: probes, of sizes of its own.
 */
export const parts = ['programming', 'director', 'traffic', 'cluster', 'health'] as const;
export type Part = (typeof parts)[number];

/** What the host asks of the program inside the lab. */
export interface BenchmarkOptions extends TableSize {
  /** Interleaved repetitions of what takes turns. */
  readonly rounds: number;
  /** Weight changes to time. */
  readonly edits: number;
  /** How long an idle director is watched. */
  readonly idleSeconds: number;
  readonly parts: readonly Part[];
  /** Absolute path of the bundle. */
  readonly product: string;
  /** Absolute path of the bundle of test/lab/farm/checker-program.ts. */
  readonly checkerProgram: string;
  /** Absolute path of the bundle of health/server-program.ts. */
  readonly serverProgram: string;
  readonly healthAspects: readonly HealthAspect[];
  readonly healthSize: 'quick' | 'whole';
}
