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
import { RealServers } from './real-servers.ts';

export interface DetectionOptions {
  readonly checkerProgram: string;
  /** Bundle of server-program.ts. */
  readonly serverProgram: string;
  readonly folder: string;
  readonly rounds: number;
  readonly progress: (line: string) => void;
}

/** So many are struck, and as many stay well. */
const groupSize = 64;
const struckNetwork = '198.19.0.0/26';
const port = 8080;
const pace: Omit<Pace, 'question'> = {
  targets: 2 * groupSize,
  port,
  intervalSeconds: 2,
  timeoutSeconds: 1,
  failureThreshold: 3,
};
/** keepalived was seen to need more than a minute, for servers that had gone dark. */
const patienceMs = 300_000;

interface Contenders {
  readonly question: Pace['question'];
  readonly farm: TargetFarm;
  readonly checker: RunningChecker;
  readonly keepalived: RunningKeepalived;
  readonly struck: RealServers;
  readonly well: RealServers;
}

interface Fate {
  readonly id: string;
  readonly title: string;
  readonly strike: (contenders: Contenders) => Promise<void>;
  readonly heal: (contenders: Contenders) => Promise<void>;
}

const killed: Fate = {
  id: 'killed',
  title: 'kill -9',
  strike: async ({ struck }) => struck.signal('SIGKILL'),
  heal: ({ struck }) => struck.start(),
};
const frozen: Fate = {
  id: 'frozen',
  title: 'frozen by SIGSTOP',
  strike: async ({ struck }) => struck.signal('SIGSTOP'),
  heal: async ({ struck }) => struck.signal('SIGCONT'),
};
const dark: Fate = {
  id: 'dark',
  title: 'all packets dropped',
  strike: ({ farm }) => farm.darken(struckNetwork),
  heal: ({ farm }) => farm.lighten(struckNetwork),
};

const trials = [
  // keepalived's quickest check.
  { question: 'tcp', fates: [killed, dark] },
  // A frozen server still connects: its kernel does. Only an answer shows that it lives.
  { question: 'http', fates: [killed, frozen, dark] },
] as const;

/** Milliseconds, in ascending order. */
type Delays = Readonly<Record<'ours' | 'keepalived' | 'oursTwice', readonly number[]>>;

export async function measureDetection(options: DetectionOptions): Promise<PartResult> {
  const results: PartResult[] = [];
  for (const { question, fates } of trials) results.push(await measureTrial(question, fates, options));
  return {
    measurements: results.flatMap(({ measurements }) => measurements),
    comparisons: results.flatMap(({ comparisons }) => comparisons),
  };
}

async function measureTrial(
  question: Pace['question'],
  fates: readonly Fate[],
  options: DetectionOptions,
): Promise<PartResult> {
  const farm = await TargetFarm.layOut({ probers: 2 });
  const servers = (first: number) =>
    new RealServers(farm, options.serverProgram, { first, size: groupSize, port });
  const struck = servers(0);
  const well = servers(groupSize);
  await struck.start();
  await well.start();
  // One success suffices for keepalived; the first policy is that, the second is our default.
  const policies = [1, 2].map((successThreshold) => ({ successThreshold, failureThreshold: 3 }));
  const asked = { ...pace, question };
  const job = asCheckerJob(asked, { policies, isTold: true });
  const checker = RunningChecker.start(farm.prober(0), options.checkerProgram, job);
  const keepalived = await RunningKeepalived.start(farm.prober(1), asked, options.folder);
  const contenders: Contenders = { question, farm, checker, keepalived, struck, well };
  await sleep(pace.intervalSeconds * 3000);

  const begin = await readCounters(contenders);
  const results: PartResult[] = [];
  for (const fate of fates) results.push(await measureFate(fate, contenders, options));
  const end = await readCounters(contenders);
  checkLoad(begin, end);
  await checker.stop();
  await keepalived.stop();
  await farm.remove();

  const falls = (id: 'ourTurns' | 'theirTurns', name: string): Measurement => ({
    id: `${question}-well-${id}`,
    title: `${name}, ${question}: turns of ${groupSize} servers beside those, which stayed well`,
    unit: 'falls',
    samples: [end[id] - begin[id]],
    aim: { statistic: 'max', atMost: 0 },
  });
  return {
    measurements: [
      ...results.flatMap(({ measurements }) => measurements),
      falls('ourTurns', 'prober'),
      falls('theirTurns', 'keepalived'),
    ],
    comparisons: results.flatMap(({ comparisons }) => comparisons),
  };
}

async function measureFate(
  { id, title, strike, heal }: Fate,
  contenders: Contenders,
  { rounds, progress }: DetectionOptions,
): Promise<PartResult> {
  const { question } = contenders;
  const name = `${question}, ${title}`;
  const gone: Delays[] = [];
  const back: Delays[] = [];
  for (let round = 0; round < rounds; round++) {
    // Not always at the same point of everybody's interval.
    await sleep((pace.intervalSeconds * 1000 * round) / rounds);
    gone.push(await timeTurns(contenders, false, () => strike(contenders)));
    back.push(await timeTurns(contenders, true, () => heal(contenders)));
    progress(`${name}, ${round + 1}/${rounds}: gone ${medians(gone.at(-1))}; back ${medians(back.at(-1))}`);
  }
  const isGone = compare(`${question}-gone-${id}`, `${name} until out of service`, gone);
  const isBack = compare(`${question}-back-${id}`, `${name}: back, one success`, back);
  const twice: Measurement = {
    id: `${question}-back-${id}-twice`,
    title: `prober, ${name}: back, two successes as by default`,
    unit: 'ms',
    samples: back.flatMap((delays) => delays.oursTwice),
  };
  return {
    measurements: [...isGone.measurements, ...isBack.measurements, twice],
    comparisons: [...isGone.comparisons, ...isBack.comparisons],
  };
}

/** Round by round and rank by rank: the slowest of ours beside the slowest of theirs. */
function compare(id: string, title: string, rounds: readonly Delays[]): PartResult {
  const comparison: Comparison = {
    title: `prober / keepalived: ${title}`,
    of: id,
    to: `${id}-keepalived`,
    aim: { statistic: 'median', atMost: 1 },
  };
  return {
    measurements: [
      { id, title: `prober, ${title}`, unit: 'ms', samples: rounds.flatMap(({ ours }) => ours) },
      {
        id: comparison.to,
        title: `keepalived, ${title}`,
        unit: 'ms',
        samples: rounds.flatMap(({ keepalived }) => keepalived),
      },
    ],
    comparisons: [comparison],
  };
}

/**
 * From the blow until each of the struck targets turned.
 * @throws Error when one of the two does not see all of them turn
 */
async function timeTurns(
  { checker, keepalived }: Contenders,
  isUp: boolean,
  strike: () => Promise<void>,
): Promise<Delays> {
  await strike();
  const startMs = sharedNowMs();
  const ours = (policy: number) => turnsTo(isUp, ourTurns(checker, policy));
  const theirs = () => turnsTo(isUp, keepalived.turns);
  const seen = () => [ours(0), ours(1), theirs()].map((turns) => turns.length);
  while (seen().some((count) => count < groupSize)) {
    if (sharedNowMs() > startMs + patienceMs) {
      const { outcomes } = await checker.totals();
      const state = isUp ? 'up' : 'down';
      throw new Error(
        `of ${groupSize} servers that are ${state} only so many were seen so by us, by us with two successes and by ` +
          `keepalived: ${seen().join(', ')}; ${JSON.stringify(outcomes)}`,
      );
    }
    await sleep(100);
  }
  const delays = (turns: readonly number[]) =>
    turns.map((atMs) => Math.max(0, atMs - startMs)).toSorted((x, y) => x - y);
  return { ours: delays(ours(0)), oursTwice: delays(ours(1)), keepalived: delays(theirs()) };
}

interface SeenTurn {
  readonly rip: string;
  readonly isUp: boolean;
  readonly atMs: number;
}

function ourTurns(checker: RunningChecker, policy: number): SeenTurn[] {
  return checker.turns
    .filter((turn) => turn.policy === policy)
    .map(({ target, ...turn }) => ({ ...turn, rip: targetOf('198.19', target) }));
}

const struckRips = new Set(Array.from({ length: groupSize }, (_, target) => targetOf('198.19', target)));

/** When the struck servers took the state that they have, of those that have the wanted one. */
function turnsTo(isUp: boolean, turns: readonly SeenTurn[]): number[] {
  const last = new Map(turns.map((turn) => [turn.rip, turn]));
  return [...struckRips].flatMap((rip) => {
    const turn = last.get(rip);
    return turn?.isUp === isUp ? [turn.atMs] : [];
  });
}

interface Counters {
  readonly atMs: number;
  /** Turns of the servers that nothing happened to: the negative control of it all. */
  readonly ourTurns: number;
  readonly theirTurns: number;
  readonly ourProbes: number;
  /** Connections from both to the servers that nothing happened to. */
  readonly taken: number;
}

async function readCounters({ checker, keepalived, well }: Contenders): Promise<Counters> {
  const ofTheWell = (turns: readonly SeenTurn[]) => turns.filter(({ rip }) => !struckRips.has(rip)).length;
  const { outcomes } = await checker.totals();
  return {
    atMs: sharedNowMs(),
    ourTurns: ofTheWell(ourTurns(checker, 0)),
    theirTurns: ofTheWell(keepalived.turns),
    ourProbes: Object.values(outcomes).reduce((sum, count) => sum + count, 0),
    taken: await well.taken(),
  };
}

/** @throws Error when they did not ask as often as they were told to: then the delays mean nothing */
function checkLoad(begin: Counters, end: Counters): void {
  const intervals = (end.atMs - begin.atMs) / 1000 / pace.intervalSeconds;
  const probes = end.ourProbes - begin.ourProbes;
  const taken = end.taken - begin.taken;
  const theirs = taken - probes / 2;
  // keepalived itself may ask far less often: its interval begins at the end of a check, and it stands still for up to five
  // seconds when it closes a connection to a server that has gone dark. That is its own; being idle would not be.
  if (probes < 0.9 * intervals * pace.targets || theirs < 0.3 * intervals * groupSize)
    throw new Error(
      `in ${intervals.toFixed(1)} intervals ${probes} probes of ours to ${pace.targets} servers, and ${taken} of both to ` +
        `${groupSize}: this machine is too slow`,
    );
}

function medians(delays: Delays | undefined): string {
  const median = (list: readonly number[] = []) => list[list.length >> 1]?.toFixed(0);
  return `ours ${median(delays?.ours)} ms, keepalived ${median(delays?.keepalived)} ms`;
}
