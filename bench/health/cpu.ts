/** What it costs to probe thousands of targets, of which all are well. */
import { createServer } from 'node:net';
import { performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { RunningChecker } from '../../test/lab/farm/running-checker.ts';
import { TargetFarm } from '../../test/lab/farm/target-farm.ts';
import type { PartResult } from '../report.ts';
import { RunningKeepalived } from './keepalived.ts';
import { asCheckerJob } from './pace.ts';
import type { Pace } from './pace.ts';
import { cpuMsOfTree } from './processes.ts';

/** How long to wait until all is even: every target was asked twice, and code is warm. */
const settleIntervals = 2.2;

export interface CpuOptions {
  readonly paces: readonly Pace[];
  readonly rounds: number;
  readonly checkerProgram: string;
  readonly folder: string;
  readonly progress: (line: string) => void;
}

/** In the lab, in turns: microseconds of CPU for each probe, which is what scales; the lab multiplies them. */
export async function measureCpu(options: CpuOptions): Promise<PartResult> {
  const results: PartResult[] = [];
  for (const pace of options.paces) results.push(await measurePace(pace, options));
  return {
    measurements: results.flatMap(({ measurements }) => measurements),
    comparisons: results.flatMap(({ comparisons }) => comparisons),
  };
}

async function measurePace(pace: Pace, { rounds, ...options }: CpuOptions): Promise<PartResult> {
  const ours: number[] = [];
  const keepalived: number[] = [];
  for (let round = 0; round < rounds; round++) {
    ours.push(await onFarm((farm) => measureOurs(farm, pace, options)));
    keepalived.push(await onFarm((farm) => measureKeepalived(farm, pace, options)));
    options.progress(
      `${pace.targets} targets, ${round + 1}/${rounds}: ours ${ours.at(-1)?.toFixed(0)} µs a probe, ` +
        `keepalived ${keepalived.at(-1)?.toFixed(0)} µs`,
    );
  }
  const what = `${pace.targets} targets every ${pace.intervalSeconds} s: CPU of a probe`;
  const ids = { ours: `probe-cpu-${pace.targets}`, keepalived: `keepalived-cpu-${pace.targets}` };
  return {
    measurements: [
      { id: ids.ours, title: `prober, ${what}`, unit: 'µs', samples: ours },
      { id: ids.keepalived, title: `keepalived, ${what}`, unit: 'µs', samples: keepalived },
    ],
    comparisons: [
      {
        title: `prober's CPU / keepalived's, ${pace.targets} targets`,
        of: ids.ours,
        to: ids.keepalived,
        aim: { statistic: 'median', atMost: 2 },
      },
    ],
  };
}

async function onFarm(body: (farm: TargetFarm) => Promise<number>): Promise<number> {
  const farm = await TargetFarm.layOut();
  try {
    return await body(farm);
  } finally {
    await farm.remove();
  }
}

type Tools = Omit<CpuOptions, 'rounds' | 'paces'>;

async function measureOurs(farm: TargetFarm, pace: Pace, { checkerProgram }: Tools): Promise<number> {
  const checker = RunningChecker.start(farm.prober(0), checkerProgram, asCheckerJob(pace));
  const cost = await costOfProbe(farm, pace, checker.pid);
  await checker.stop();
  return cost;
}

async function measureKeepalived(farm: TargetFarm, pace: Pace, { folder }: Tools): Promise<number> {
  const keepalived = await RunningKeepalived.start(farm.prober(0), pace, folder);
  const cost = await costOfProbe(farm, pace, keepalived.pid);
  await keepalived.stop();
  return cost;
}

/** @throws Error when it did not ask as often as it was told to: then the cost of a probe means nothing */
async function costOfProbe(
  farm: TargetFarm,
  { targets, intervalSeconds }: Pace,
  pid: number,
): Promise<number> {
  await sleep(intervalSeconds * settleIntervals * 1000);
  const before = { cpuMs: cpuMsOfTree(pid), answered: farm.answered(), atMs: performance.now() };
  await sleep(intervalSeconds * 1000 * Math.max(1, Math.round(15 / intervalSeconds)));
  const probes = farm.answered() - before.answered;
  const expected = ((performance.now() - before.atMs) / 1000 / intervalSeconds) * targets;
  if (probes < expected * 0.9)
    throw new Error(`${probes} probes instead of ${expected.toFixed(0)}: this machine is too slow`);
  return ((cpuMsOfTree(pid) - before.cpuMs) / probes) * 1000;
}

/**
 * On this machine itself, over loopback, where a system call costs what it costs: the share of one core. This process
 * accepts; only the prober's own process is counted.
 */
export async function measureNativeCpu(checkerProgram: string, pace: Pace): Promise<PartResult> {
  const server = createServer((socket) => {
    socket.on('error', () => {});
    socket.destroy();
  });
  await new Promise<void>((resolve) => server.listen({ port: 0, host: '0.0.0.0', backlog: 4096 }, resolve));
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  const checker = RunningChecker.startHere(checkerProgram, asCheckerJob(pace, { port, network: '127.19' }));
  await sleep(pace.intervalSeconds * settleIntervals * 1000);
  const samples: number[] = [];
  for (let window = 0; window < 5; window++) {
    const before = { cpuMs: cpuMsOfTree(checker.pid), atMs: performance.now() };
    await sleep(pace.intervalSeconds * 1000);
    samples.push(((cpuMsOfTree(checker.pid) - before.cpuMs) / (performance.now() - before.atMs)) * 100);
  }
  await checker.stop();
  server.close();
  return {
    measurements: [
      {
        id: 'native-cpu',
        title: `prober, natively, ${pace.targets} targets every ${pace.intervalSeconds} s: of one core`,
        unit: '%',
        samples,
        aim: { statistic: 'median', atMost: 40 },
      },
    ],
    comparisons: [],
  };
}
