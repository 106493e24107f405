import { WeightsRig } from '../test/kernel/weights-rig.ts';
import { sleep, until } from '../test/kernel/director-eyes.ts';
import type { LabLoad, LoadCounts } from '../test/lab/load.ts';
import { chapter, check, say, showCommand, showTable } from './screen.ts';

const fastMs = 25;
const slowMs = 90;
const perSecond = 40;
const measuredSeconds = 5;
/** Until what waited at the slow server is served. */
const settlingSeconds = 5;

interface Phase {
  readonly title: string;
  readonly counts: LoadCounts;
  readonly weights: readonly (number | string | undefined)[];
}

/** A cluster in which one of three servers slows down: the controller learns it, weights move, nobody waits any more. */
export async function tellOfFollowingLoad(): Promise<void> {
  chapter('A cluster: one server slows down, and weights follow');
  say('  An API server, the controller, a director, three pods of one core each, metrics.k8s.io.');
  say('  VirtualService web: scheduler wrr, weightPolicy: { type: CapacityEstimate }.');
  const rig = await WeightsRig.start([fastMs, fastMs, fastMs]);
  try {
    await rig.applyWeb('wrr', { type: 'CapacityEstimate' });
    const load = await rig.startLoad(perSecond);
    say(`  ${perSecond} requests a second of ${fastMs} ms each; then server1 needs ${slowMs} ms, for good.`);
    await tellPhases(rig, load);
    await load.stop();
  } finally {
    await rig.close();
  }
}

async function tellPhases(rig: WeightsRig, load: LabLoad): Promise<void> {
  const before = await measure('all are equally fast', rig, load);
  rig.workers[0]?.setServiceMs(slowMs);
  const slowSince = performance.now();
  const isFollowed = await hasMoved(rig);
  const tookSeconds = (performance.now() - slowSince) / 1000;
  const slow: Phase = {
    title: 'server1 slows down',
    counts: await load.take(),
    weights: ['moving'],
  };
  await sleep(settlingSeconds * 1000);
  const after = await measure('weights follow', rig, load);
  say();
  showTable(
    ['', ...rig.network.realServers.map(({ name }) => name), 'FAILED', 'P50', 'P99', 'WEIGHTS'],
    [before, slow, after].map(({ title, counts, weights }) => [
      title,
      ...rig.network.realServers.map(({ name }) => counts.byServer[name] ?? 0),
      counts.failed,
      `${counts.p50Ms} ms`,
      `${counts.p99Ms} ms`,
      weights.join(' '),
    ]),
  );
  showCommand('ipvsadm -Ln', await rig.network.director.check(['ipvsadm', '-Ln']));
  check(
    `the weight of server1 fell below half of the others, ${tookSeconds.toFixed(0)} s after it became slow`,
    isFollowed,
  );
  check(
    `p99 recovered: ${before.counts.p99Ms} ms, ${slow.counts.p99Ms} ms until weights had moved, ${after.counts.p99Ms} ms now`,
    slow.counts.p99Ms > before.counts.p99Ms && after.counts.p99Ms < slow.counts.p99Ms / 2,
  );
  check('server1 gets less than a quarter of the requests', shareOfSlow(after.counts) < 0.25);
  check(
    'no request failed',
    [before, slow, after].every(({ counts }) => counts.failed === 0),
  );
}

async function measure(title: string, rig: WeightsRig, load: LabLoad): Promise<Phase> {
  await load.take();
  await sleep(measuredSeconds * 1000);
  return { title, counts: await load.take(), weights: rig.weights() };
}

async function hasMoved(rig: WeightsRig): Promise<boolean> {
  const isLess = (): boolean => {
    const [slow = 0, ...fast] = rig.weights();
    return slow > 0 && fast.every((weight) => (weight ?? 0) > 2 * slow);
  };
  try {
    await until('the slow one has less than half', isLess, 60_000);
    return true;
  } catch {
    return false;
  }
}

function shareOfSlow({ byServer, answered }: LoadCounts): number {
  return (byServer['server1'] ?? 0) / Math.max(1, answered);
}
