/** What it costs to probe thousands of targets, of which all are well. */
import { createServer } from 'node:net';
import { performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { RunningChecker } from '../../test/lab/farm/running-checker.ts';
import { TargetFarm } from '../../test/lab/farm/target-farm.ts';
import type { Measurement, PartResult } from '../report.ts';
import { RunningKeepalived } from './keepalived.ts';
import { asCheckerJob } from './pace.ts';
import type { Pace } from './pace.ts';
import { cpuMsOfTree, peakMbOfTree } from './processes.ts';

/** How long to wait until all is even: every target was asked, and code is warm. */
const settleIntervals = 1.3;
const leastSettleSeconds = 15;
const leastWindowSeconds = 15;

export interface CpuOptions {
  readonly pace: Pace;
  readonly rounds: number;
  readonly checkerProgram: string;
  readonly folder: string;
  readonly progress: (line: string) => void;
}

/** What is being watched. */
interface Contender {
  readonly pid: number;
  stop(): Promise<void>;
}

interface Cost {
  /** User and kernel mode, of all processes and threads. */
  readonly cpuUs: number;
  readonly peakMb: number;
}

/** In the lab, in turns: microseconds of CPU for each probe, which is what scales; the lab multiplies them. */
export async function measureCpu({ pace, rounds, ...tools }: CpuOptions): Promise<PartResult> {
  const ours: Cost[] = [];
  const keepalived: Cost[] = [];
  const job = asCheckerJob(pace);
  for (let round = 0; round < rounds; round++) {
    ours.push(
      await costOnFarm(pace, async (farm) => RunningChecker.start(farm.prober(0), tools.checkerProgram, job)),
    );
    keepalived.push(
      await costOnFarm(pace, (farm) => RunningKeepalived.start(farm.prober(0), pace, tools.folder)),
    );
    tools.progress(
      `${pace.targets} targets, ${round + 1}/${rounds}: ours ${ours.at(-1)?.cpuUs.toFixed(0)} µs a probe, ` +
        `keepalived ${keepalived.at(-1)?.cpuUs.toFixed(0)} µs`,
    );
  }
  const what = `${pace.targets} targets every ${pace.intervalSeconds} s`;
  const row = (id: string, title: string, unit: 'µs' | 'MB', samples: readonly number[]): Measurement => ({
    id: `${id}-${pace.targets}`,
    title,
    unit,
    samples,
  });
  const cpuOf = ({ cpuUs }: Cost) => cpuUs;
  const memoryOf = ({ peakMb }: Cost) => peakMb;
  return {
    measurements: [
      row('probe-cpu', `prober, ${what}: CPU of a probe`, 'µs', ours.map(cpuOf)),
      row('keepalived-cpu', `keepalived, ${what}: CPU of a probe`, 'µs', keepalived.map(cpuOf)),
      row('probe-memory', `prober alone, ${what}: most memory ever`, 'MB', ours.map(memoryOf)),
      row('keepalived-memory', `keepalived, ${what}: most memory ever`, 'MB', keepalived.map(memoryOf)),
    ],
    comparisons: [
      {
        title: `prober's CPU / keepalived's, ${what}`,
        of: `probe-cpu-${pace.targets}`,
        to: `keepalived-cpu-${pace.targets}`,
        aim: { statistic: 'median', atMost: 2 },
      },
    ],
  };
}

async function costOnFarm(pace: Pace, start: (farm: TargetFarm) => Promise<Contender>): Promise<Cost> {
  const farm = await TargetFarm.layOut();
  try {
    const contender = await start(farm);
    await settle(pace);
    const [cost] = await watch(pace, contender.pid, () => farm.answered(), 1);
    await contender.stop();
    if (cost === undefined) throw new Error('nothing was watched');
    return cost;
  } finally {
    await farm.remove();
  }
}

function settle({ intervalSeconds }: Pace): Promise<unknown> {
  return sleep(Math.max(leastSettleSeconds, intervalSeconds * settleIntervals) * 1000);
}

/**
 * @param answered how many probes the targets have answered so far
 * @throws Error when they were not asked as often as they should have been: then the cost of a probe means nothing
 */
async function watch(
  { targets, intervalSeconds }: Pace,
  pid: number,
  answered: () => number,
  windows: number,
): Promise<Cost[]> {
  const costs: Cost[] = [];
  const seconds = intervalSeconds * Math.max(1, Math.round(leastWindowSeconds / windows / intervalSeconds));
  for (let window = 0; window < windows; window++) {
    const before = { cpuMs: cpuMsOfTree(pid), answered: answered(), atMs: performance.now() };
    await sleep(seconds * 1000);
    const probes = answered() - before.answered;
    const cpuMs = cpuMsOfTree(pid) - before.cpuMs;
    const expected = ((performance.now() - before.atMs) / 1000 / intervalSeconds) * targets;
    if (probes < expected * 0.9)
      throw new Error(`${probes} probes instead of ${expected.toFixed(0)}: this machine is too slow`);
    costs.push({ cpuUs: (cpuMs / probes) * 1000, peakMb: peakMbOfTree(pid) });
  }
  return costs;
}

/**
 * On this machine itself, over loopback, where a system call costs what it costs: the share of one core. This process
 * accepts; only the prober's own process is counted, but in it the kernel's work on both ends of the loopback.
 */
export async function measureNativeCpu(checkerProgram: string, pace: Pace): Promise<PartResult> {
  let accepted = 0;
  const server = createServer((socket) => {
    accepted++;
    socket.on('error', () => {});
    socket.destroy();
  });
  await new Promise<void>((resolve) => server.listen({ port: 0, host: '0.0.0.0', backlog: 4096 }, resolve));
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  const checker = RunningChecker.startHere(checkerProgram, asCheckerJob(pace, { port, network: '127.19' }));
  await settle(pace);
  const costs = await watch(pace, checker.pid, () => accepted, 5);
  await checker.stop();
  server.close();
  const what = `prober, natively, ${pace.targets} targets every ${pace.intervalSeconds} s`;
  const probesPerSecond = pace.targets / pace.intervalSeconds;
  return {
    measurements: [
      {
        id: 'native-cpu',
        title: `${what}: of one core`,
        unit: '%',
        samples: costs.map(({ cpuUs }) => (cpuUs * probesPerSecond) / 10_000),
        aim: { statistic: 'median', atMost: 40 },
      },
      {
        id: 'native-memory',
        title: `${what}: most memory ever`,
        unit: 'MB',
        samples: costs.slice(-1).map(({ peakMb }) => peakMb),
      },
    ],
    comparisons: [],
  };
}
