/** How often a server that is well is taken for dead, on wires that lose packets. */
import { setTimeout as sleep } from 'node:timers/promises';
import { sharedNowMs } from '../../src/health/index.ts';
import { RunningChecker } from '../../test/lab/farm/running-checker.ts';
import { TargetFarm } from '../../test/lab/farm/target-farm.ts';
import type { Measurement, PartResult } from '../report.ts';
import { expectedFalls, falseFallsPerDay, probeFailureShare, upperBound } from './false-alarms.ts';
import { RunningKeepalived } from './keepalived.ts';
import { asCheckerJob } from './pace.ts';
import type { Pace } from './pace.ts';

const pace: Pace = {
  targets: 800,
  question: 'tcp',
  port: 80,
  intervalSeconds: 2,
  timeoutSeconds: 1,
  failureThreshold: 3,
};
/** Judged beside each other on the same probes: with the lowest, false falls must be seen, or nothing was lost. */
const thresholds = [1, 2, 3] as const;

export interface LossOptions {
  readonly checkerProgram: string;
  readonly folder: string;
  readonly progress: (line: string) => void;
  /** Probes of each of the two per share of loss, at least. */
  readonly probes: number;
  /** Shares of packets that are lost. */
  readonly percents: readonly number[];
}

export async function measureLoss(options: LossOptions): Promise<PartResult> {
  const measurements: Measurement[] = [];
  for (const percent of options.percents) measurements.push(...describe(await countFalls(percent, options)));
  return { measurements, comparisons: [] };
}

interface Counts {
  readonly percent: number;
  readonly probes: number;
  /** Probes that did not pass, void ones included. */
  readonly lost: number;
  /** By index of `thresholds`. */
  readonly falls: readonly number[];
  readonly theirProbes: number;
  readonly theirFalls: number;
}

async function countFalls(percent: number, options: LossOptions): Promise<Counts> {
  const farm = await TargetFarm.layOut({ probers: 2 });
  const policies = thresholds.map((failureThreshold) => ({ successThreshold: 1, failureThreshold }));
  const job = asCheckerJob(pace, { policies, isTold: true });
  const checker = RunningChecker.start(farm.prober(0), options.checkerProgram, job);
  const keepalived = await RunningKeepalived.start(farm.prober(1), pace, options.folder);
  await sleep(pace.intervalSeconds * 2500);
  await farm.lose(percent);
  const begin = { ours: checker.turns.length, theirs: keepalived.turns.length, atMs: sharedNowMs() };
  const answered = farm.answered();
  const before = await checker.totals();
  await sleep((options.probes / pace.targets) * pace.intervalSeconds * 1000 * 1.05);
  const after = await checker.totals();
  const seconds = (sharedNowMs() - begin.atMs) / 1000;
  const answeredAfter = farm.answered();
  const packets = await farm.packets();

  const since = (name: string) => (after.outcomes[name] ?? 0) - (before.outcomes[name] ?? 0);
  const probes = Object.keys(after.outcomes).reduce((sum, name) => sum + since(name), 0);
  // A timeout while the prober itself was held up is void and turns nothing; here it counts as lost like any other.
  const lost = probes - since('passed');
  const falls = thresholds.map(
    (_, policy) =>
      checker.turns.slice(begin.ours).filter((turn) => turn.policy === policy && !turn.isUp).length,
  );
  const theirFalls = keepalived.turns.slice(begin.theirs).filter(({ isUp }) => !isUp).length;
  // It does not tell how often it asks, but the farm tells how many SYNs came of both; ours dials again where it lost one.
  const arriving = 1 - percent / 100;
  const dials = probes * (2 - arriving ** 2);
  const theirProbes = Math.max(0, Math.round((answeredAfter - answered) / arriving - dials));
  await checker.stop();
  await keepalived.stop();
  await farm.remove();

  options.progress(
    `${percent} % loss (${packets.lost} of ${packets.given} packets): ${lost} of ${probes} probes lost ` +
      `(${since('ProberLate')} of them void); in service until 1, 2, 3 losses in a row: ${falls.join(', ')} ` +
      `false falls; keepalived (3): ${theirFalls}`,
  );
  const mean = packets.given * (percent / 100);
  if (Math.abs(packets.lost - mean) > 5 * Math.sqrt(mean))
    throw new Error(`the wires lost ${packets.lost} of ${packets.given} packets instead of ${percent} %`);
  // Its interval begins at the end of a check, and where packets are lost it stands still while it closes connections: at
  // 5 % loss it asks an eighth as often as it is told to. That is its nature, and told with the result.
  const due = (seconds / pace.intervalSeconds) * pace.targets;
  const isIdle = percent === 0 ? theirProbes < due / 4 : theirProbes === 0;
  if (probes < options.probes || isIdle)
    throw new Error(
      `${probes} probes of ours and some ${theirProbes} of keepalived instead of ${due.toFixed(0)}: this machine is too slow`,
    );
  return { percent, probes, lost, falls, theirProbes, theirFalls };
}

function describe({ percent, probes, lost, falls, theirProbes, theirFalls }: Counts): Measurement[] {
  const expected = probeFailureShare(percent / 100, 2);
  const theirExpected = probeFailureShare(percent / 100, 1);
  const deviation = Math.sqrt((expected * (1 - expected)) / probes);
  const perDay = (share: number) => falseFallsPerDay(share, pace);
  const row = (id: string, title: string, sample: number, aim?: number): Measurement => ({
    id: `loss-${percent}${id}`,
    title: `${percent} % loss: ${title}`,
    unit: id === '' ? '%' : 'falls',
    samples: [sample],
    ...(aim === undefined ? {} : { aim: { statistic: 'median', atMost: aim } as const }),
  });
  const ownFalls = thresholds.map((failureThreshold, policy) => {
    const count = expectedFalls(probes, expected, { failureThreshold });
    return row(
      `-falls-${failureThreshold}`,
      `prober, false falls with failureThreshold ${failureThreshold}, ${say(count)} expected`,
      falls[policy] ?? Number.NaN,
      mostOf(count),
    );
  });
  return [
    row(
      '',
      `prober, of ${probes} probes lost, ${say(expected * 100)} expected`,
      (lost / probes) * 100,
      Number(((expected + 3 * deviation) * 100).toPrecision(3)),
    ),
    ...ownFalls,
    row(
      '-keepalived',
      `keepalived, false falls of its ${theirProbes} probes, also after 3 losses, ${say(expectedFalls(theirProbes, theirExpected, pace))} expected`,
      theirFalls,
    ),
    row(
      '-day',
      `prober, false falls of one target in a day, by the share lost (${say(perDay(expected))} expected)`,
      perDay(lost / probes),
    ),
    row(
      '-day-bound',
      'the same by the upper end of what the share may be (99 %)',
      perDay(upperBound(lost, probes)),
      percent === 1 ? 1 : undefined,
    ),
    row('-day-keepalived', "keepalived's falls of one target in a day, by arithmetic", perDay(theirExpected)),
  ];
}

/** What a count whose mean is that will hardly ever exceed: three deviations above it. */
function mostOf(mean: number): number {
  return Math.ceil(mean + 3 * Math.sqrt(mean));
}

function say(value: number): string {
  return String(Number(value.toPrecision(2)));
}
