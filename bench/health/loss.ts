/** How often a server that is well is taken for dead, on wires that lose packets. */
import { setTimeout as sleep } from 'node:timers/promises';
import { RunningChecker } from '../../test/lab/farm/running-checker.ts';
import { TargetFarm } from '../../test/lab/farm/target-farm.ts';
import type { Measurement, PartResult } from '../report.ts';
import type { DetectionOptions } from './detection.ts';
import { falseTransitionsPerDay, probeFailureShare, upperBound } from './false-alarms.ts';
import { RunningKeepalived } from './keepalived.ts';
import { asCheckerJob } from './pace.ts';
import type { Pace } from './pace.ts';

const pace: Pace = { targets: 500, intervalSeconds: 2, timeoutSeconds: 1, failureThreshold: 3 };
const thresholds = [1, 2, 3] as const;

export interface LossOptions extends DetectionOptions {
  /** Probes per share of loss, at least. */
  readonly probes: number;
}

export async function measureLoss(options: LossOptions): Promise<PartResult> {
  const measurements: Measurement[] = [];
  for (const percent of [0, 1, 5]) measurements.push(...(await measureShare(percent, options)));
  return { measurements, comparisons: [] };
}

async function measureShare(percent: number, options: LossOptions): Promise<Measurement[]> {
  const farm = await TargetFarm.layOut({ probers: 2 });
  const policies = thresholds.map((failureThreshold) => ({ successThreshold: 1, failureThreshold }));
  const job = asCheckerJob(pace, { policies, isTold: true });
  const checker = RunningChecker.start(farm.prober(0), options.checkerProgram, job);
  const keepalived = await RunningKeepalived.start(farm.prober(1), pace, options.folder);
  await sleep(pace.intervalSeconds * 2500);
  await farm.lose(percent);
  const ourTurns = checker.turns.length;
  const theirTurns = keepalived.turns.length;
  const before = await checker.totals();
  await sleep((options.probes / pace.targets) * pace.intervalSeconds * 1000 * 1.05);
  const after = await checker.totals();

  const since = (name: string) => (after.outcomes[name] ?? 0) - (before.outcomes[name] ?? 0);
  const names = Object.keys(after.outcomes);
  const probes = names.reduce((sum, name) => sum + since(name), 0);
  // A timeout while the prober itself was held up is void and turns nothing; here it counts as lost like any other.
  const lost = probes - since('passed');
  const void_ = since('ProberLate');
  const falls = thresholds.map(
    (_, policy) =>
      checker.turns.slice(ourTurns).filter((turn) => turn.policy === policy && !turn.isUp).length,
  );
  const theirFalls = keepalived.turns.slice(theirTurns).filter(({ isUp }) => !isUp).length;
  await checker.stop();
  await keepalived.stop();
  await farm.remove();

  const [once, twice, thrice] = falls;
  options.progress(
    `${percent} % loss: ${lost} of ${probes} probes lost (${void_} of them void); in service until 1, 2, 3 losses ` +
      `in a row: ${once}, ${twice}, ${thrice} false falls; keepalived (3): ${theirFalls}`,
  );
  const expected = probeFailureShare(percent / 100);
  const deviation = Math.sqrt((expected * (1 - expected)) / probes);
  const perDay = (share: number) => falseTransitionsPerDay(share, pace);
  const title = (text: string) => `${percent} % loss: ${text}`;
  return [
    {
      id: `loss-${percent}`,
      title: title(`prober, of ${probes} probes lost, ${(expected * 100).toPrecision(2)} expected`),
      unit: '%',
      samples: [(lost / probes) * 100],
      aim: { statistic: 'median', atMost: round((expected + 3 * deviation) * 100) },
    },
    {
      id: `loss-${percent}-day`,
      title: title(
        `prober, false falls of one target in a day, by that share (${perDay(expected).toPrecision(2)} expected)`,
      ),
      unit: 'falls',
      samples: [perDay(lost / probes)],
    },
    {
      id: `loss-${percent}-day-bound`,
      title: title('the same by the upper end of what the share may be (99 %)'),
      unit: 'falls',
      samples: [perDay(upperBound(lost, probes))],
      ...(percent === 1 ? { aim: { statistic: 'median', atMost: 1 } as const } : {}),
    },
    ...thresholds.map((threshold, policy): Measurement => ({
      id: `loss-${percent}-falls-${threshold}`,
      title: title(`prober, false falls seen with failureThreshold ${threshold}`),
      unit: 'falls',
      samples: [falls[policy] ?? Number.NaN],
    })),
    {
      id: `loss-${percent}-keepalived`,
      title: title('keepalived, false falls seen meanwhile with as many retries as failureThreshold 3'),
      unit: 'falls',
      samples: [theirFalls],
    },
  ];
}

function round(value: number): number {
  return Number(value.toPrecision(3));
}
