/** Our prober beside keepalived's, on the same targets and at the same pace. */
import type { BenchmarkOptions } from '../options.ts';
import type { PartResult } from '../report.ts';
import { measureCpu } from './cpu.ts';
import { measureDetection } from './detection.ts';
import { measureLoss } from './loss.ts';

export async function benchmarkHealth(
  { healthSize, checkerProgram }: BenchmarkOptions,
  folder: string,
  progress: (line: string) => void,
): Promise<PartResult> {
  const tools = { checkerProgram, folder, progress };
  const pace = { timeoutSeconds: 1, failureThreshold: 3 };
  const paces =
    healthSize === 'quick'
      ? [{ ...pace, targets: 200, intervalSeconds: 2 }]
      : [
          { ...pace, targets: 2000, intervalSeconds: 5 },
          // Neither of the two could ask 2,000 times a second in the lab.
          { ...pace, targets: 10_000, intervalSeconds: 20 },
        ];
  const results = [
    await measureCpu({ ...tools, paces, rounds: healthSize === 'quick' ? 1 : 3 }),
    await measureDetection(tools),
    await measureLoss({ ...tools, probes: healthSize === 'quick' ? 2000 : 20_000 }),
  ];
  return {
    measurements: results.flatMap(({ measurements }) => measurements),
    comparisons: results.flatMap(({ comparisons }) => comparisons),
  };
}
