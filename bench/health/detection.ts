/** How soon a server that is gone is out of service, and one that is back is in it again: both probers at the same time. */
import { setTimeout as sleep } from 'node:timers/promises';
import { sharedNowMs } from '../../src/health/index.ts';
import { targetOf } from '../../test/lab/farm/job.ts';
import { RunningChecker } from '../../test/lab/farm/running-checker.ts';
import { TargetFarm } from '../../test/lab/farm/target-farm.ts';
import type { Comparison, Measurement, PartResult } from '../report.ts';
import { RunningKeepalived } from './keepalived.ts';
import { asCheckerJob } from './pace.ts';
import type { Pace } from './pace.ts';

export interface DetectionOptions {
  readonly checkerProgram: string;
  readonly folder: string;
  readonly progress: (line: string) => void;
}

/** Group 0 is struck, group 1 stays well. */
const groupSize = 256;
export const detectionPace: Pace = {
  targets: 2 * groupSize,
  intervalSeconds: 2,
  timeoutSeconds: 1,
  failureThreshold: 3,
};
const patienceMs = 120_000;

const fates = { refuse: 'its processes end', silence: 'it goes dark' } as const;

interface Contenders {
  readonly farm: TargetFarm;
  readonly checker: RunningChecker;
  readonly keepalived: RunningKeepalived;
}

type Delays = Readonly<Record<'ours' | 'keepalived' | 'oursTwice', readonly number[]>>;

export async function measureDetection(options: DetectionOptions): Promise<PartResult> {
  const farm = await TargetFarm.layOut({ probers: 2 });
  // One success suffices for keepalived; the first policy is that, the second is our default.
  const policies = [1, 2].map((successThreshold) => ({ successThreshold, failureThreshold: 3 }));
  const job = asCheckerJob(detectionPace, { policies, isTold: true });
  const checker = RunningChecker.start(farm.prober(0), options.checkerProgram, job);
  const keepalived = await RunningKeepalived.start(farm.prober(1), detectionPace, options.folder);
  const contenders = { farm, checker, keepalived };
  await sleep(detectionPace.intervalSeconds * 3000);

  const measurements: Measurement[] = [];
  const comparisons: Comparison[] = [];
  for (const fate of ['refuse', 'silence'] as const) {
    const gone = await timeTurns(contenders, false, () => farm.strike(0, fate));
    const back = await timeTurns(contenders, true, () => farm.heal(0, fate));
    options.progress(`${fates[fate]}: gone ${medians(gone)}; back ${medians(back)}`);
    add(`gone-${fate}`, `${fates[fate]} until out of service`, gone);
    add(`back-${fate}`, `back after "${fates[fate]}" until in service, one success`, back);
    measurements.push({
      id: `back-${fate}-twice`,
      title: `prober, back after "${fates[fate]}", two successes as by default`,
      unit: 'ms',
      samples: back.oursTwice,
    });
  }
  await checker.stop();
  await keepalived.stop();
  await farm.remove();
  return { measurements, comparisons };

  function add(id: string, title: string, { ours, keepalived: theirs }: Delays): void {
    measurements.push(
      { id, title: `prober, ${title}`, unit: 'ms', samples: ours },
      { id: `${id}-keepalived`, title: `keepalived, ${title}`, unit: 'ms', samples: theirs },
    );
    const aim = { statistic: 'median', atMost: 1 } as const;
    comparisons.push({ title: `prober / keepalived: ${title}`, of: id, to: `${id}-keepalived`, aim });
  }
}

/** From the blow until each of the struck targets turned, in ascending order: of the same rank, not of the same target. */
async function timeTurns(
  { checker, keepalived }: Contenders,
  isUp: boolean,
  strike: () => Promise<void>,
): Promise<Delays> {
  await strike();
  const startMs = sharedNowMs();
  const ours = (policy: number) =>
    turnsTo(
      isUp,
      checker.turns
        .filter((turn) => turn.policy === policy)
        .map(({ target, ...turn }) => ({ ...turn, rip: targetOf('198.19', target) })),
    );
  const theirs = () => turnsTo(isUp, keepalived.turns);
  const seen = () => [ours(0), ours(1), theirs()].map((turns) => turns.length);
  while (seen().some((count) => count < groupSize)) {
    if (sharedNowMs() > startMs + patienceMs) {
      const { outcomes } = await checker.totals();
      throw new Error(
        `of ${groupSize} servers only ${seen().join(', ')} turned; ${JSON.stringify(outcomes)}`,
      );
    }
    await sleep(100);
  }
  const delays = (turns: readonly number[]) =>
    turns.map((atMs) => Math.max(0, atMs - startMs)).toSorted((x, y) => x - y);
  return { ours: delays(ours(0)), oursTwice: delays(ours(1)), keepalived: delays(theirs()) };
}

/** When the struck servers took the state that they have, of those that have the wanted one. */
function turnsTo(
  isUp: boolean,
  turns: readonly { readonly rip: string; readonly isUp: boolean; readonly atMs: number }[],
): number[] {
  const last = new Map(turns.map((turn) => [turn.rip, turn]));
  return struck.flatMap((rip) => {
    const turn = last.get(rip);
    return turn?.isUp === isUp ? [turn.atMs] : [];
  });
}

const struck = Array.from({ length: groupSize }, (_, target) => targetOf('198.19', target));

function medians({ ours, keepalived }: Delays): string {
  const median = (delays: readonly number[]) => delays[delays.length >> 1]?.toFixed(0);
  return `ours ${median(ours)} ms, keepalived ${median(keepalived)} ms`;
}
