/** Our prober beside keepalived's, on the same targets and at the same pace. */
import type { BenchmarkOptions } from '../options.ts';
import type { PartResult } from '../report.ts';
import type { HealthAspect } from './aspects.ts';
import { measureCpu } from './cpu.ts';
import { measureDetection } from './detection.ts';
import { measureLoss } from './loss.ts';
import type { Pace } from './pace.ts';

const pace = { question: 'tcp', port: 80, timeoutSeconds: 1, failureThreshold: 3 } as const;

export async function benchmarkHealth(
  { healthSize, healthAspects, checkerProgram, serverProgram }: BenchmarkOptions,
  folder: string,
  progress: (line: string) => void,
): Promise<PartResult> {
  const isQuick = healthSize === 'quick';
  const tools = { checkerProgram, serverProgram, folder, progress };
  const cpu = (whole: Pace, rounds: number) => () =>
    isQuick
      ? measureCpu({ ...tools, pace: { ...whole, targets: whole.targets / 10 }, rounds: 1 })
      : measureCpu({ ...tools, pace: whole, rounds });
  const measures: Readonly<Record<HealthAspect, () => Promise<PartResult>>> = {
    // Of this machine itself; taken before the lab is booted.
    native: async () => ({ measurements: [], comparisons: [] }),
    cpu: cpu({ ...pace, targets: 2000, intervalSeconds: 5 }, 3),
    // Neither of the two could ask 2,000 times a second in the lab.
    'cpu-large': cpu({ ...pace, targets: 10_000, intervalSeconds: isQuick ? 5 : 20 }, 2),
    detection: () => measureDetection({ ...tools, rounds: isQuick ? 1 : 3 }),
    loss: () =>
      measureLoss({
        ...tools,
        ...(isQuick ? { probes: 2000, percents: [5] } : { probes: 20_000, percents: [0, 1, 5] }),
      }),
  };
  const results: PartResult[] = [];
  for (const aspect of healthAspects) results.push(await measures[aspect]());
  return {
    measurements: results.flatMap(({ measurements }) => measurements),
    comparisons: results.flatMap(({ comparisons }) => comparisons),
  };
}
