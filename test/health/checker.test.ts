import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, describe, it } from 'node:test';
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { parseIpAddress } from '../../src/base/index.ts';
import type { Logger } from '../../src/base/index.ts';
import { Checker } from '../../src/health/checker.ts';
import type { CheckerOptions } from '../../src/health/checker.ts';
import { passed } from '../../src/health/outcome.ts';
import { sharedNowMs } from '../../src/health/shared-clock.ts';
import { firstVerdict, nextVerdict } from '../../src/health/verdict.ts';
import { startProbeWorker } from '../../src/health/worker-thread.ts';
import type { WorkerEvents } from '../../src/health/worker-thread.ts';
import type { ProberOrder } from '../../src/health/worker-protocol.ts';
import { buildProduct } from '../../tools/build.ts';
import { FakeTime } from '../kube/fake-time.ts';
import { check, probe } from './checks.ts';
import { serve } from './servers.ts';
import { realTimers } from './timers.ts';

const quiet: Logger = { debug() {}, info() {}, warn() {}, error() {}, child: () => quiet };

async function until(condition: () => boolean, what: string, limitMs = 10_000): Promise<void> {
  const endMs = sharedNowMs() + limitMs;
  while (!condition()) {
    if (sharedNowMs() > endMs) throw new Error(`not so in ${limitMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

function loopbackCheck(id: string, port: number, intervalMs = 200) {
  const target = { ip: parseIpAddress('127.0.0.1'), port };
  return check(id, {
    probe: { target, question: { type: 'tcp', expectHex: '6f6b' }, intervalMs, timeoutMs: 150 },
  });
}

describe('a checker with a prober on its own thread', () => {
  const options: CheckerOptions = {
    nowMs: sharedNowMs,
    timers: realTimers,
    logger: quiet,
    startWorker: startProbeWorker,
    onVerdicts: () => {},
    allowLoopback: true,
  };

  it('sees a server come, stop and come back', async () => {
    let isServing = true;
    const server = await serve((socket) => isServing && socket.write('ok'));
    const checker = new Checker(options);
    checker.setChecks([loopbackCheck('a', server.port)]);
    assert.equal(checker.verdictOf('a')?.isUp, false);
    await until(() => checker.verdictOf('a')?.isUp === true, 'up');
    isServing = false;
    await until(() => checker.verdictOf('a')?.isUp === false, 'down');
    assert.equal(checker.verdictOf('a')?.reason, 'AnswerTimeout');
    isServing = true;
    await until(() => checker.verdictOf('a')?.isUp === true, 'up again');
    await until(() => checker.recordOf('a')?.outcome !== undefined, 'a sample');
    assert.equal(checker.proberHealth().overdue, 0);
    await checker.close();
    await server.stop();
  });

  it('a pause of the main thread is no failure of anybody', async () => {
    const server = await serve((socket) => socket.write('ok'));
    // The server pauses with this thread; so it is one that the kernel answers for: to connect is enough.
    const target = { ip: parseIpAddress('127.0.0.1'), port: server.port };
    const checker = new Checker(options);
    checker.setChecks([
      check('a', { probe: { target, question: { type: 'tcp' }, intervalMs: 100, timeoutMs: 80 } }),
    ]);
    await until(() => checker.verdictOf('a')?.isUp === true, 'up');
    const since = checker.verdictOf('a')?.sinceMs;
    await until(() => checker.totals().length > 0, 'totals');
    const before = checker.totals()[0]?.outcomes['passed'] ?? 0;
    const endMs = sharedNowMs() + 2000;
    while (sharedNowMs() < endMs) JSON.parse(JSON.stringify({ busy: true }));
    await until(
      () => (checker.totals()[0]?.outcomes['passed'] ?? 0) >= before + 10,
      'probes went on meanwhile',
      1000,
    );
    assert.equal(checker.verdictOf('a')?.sinceMs, since);
    assert.equal(checker.proberHealth().overdue, 0);
    await checker.close();
    await server.stop();
  });

  it('without checks there is no thread, and after the last one nothing is asked', async () => {
    let starts = 0;
    const checker = new Checker({
      ...options,
      startWorker: (settings, events) => (starts++, startProbeWorker(settings, events)),
    });
    checker.setChecks([]);
    assert.equal(starts, 0);
    const server = await serve((socket) => socket.write('ok'));
    checker.setChecks([loopbackCheck('a', server.port)]);
    await until(() => server.connections > 0, 'a probe');
    checker.setChecks([]);
    assert.equal(checker.verdictOf('a'), undefined);
    await new Promise((resolve) => setTimeout(resolve, 300));
    const { connections } = server;
    await new Promise((resolve) => setTimeout(resolve, 500));
    assert.equal(server.connections, connections);
    await checker.close();
    await server.stop();
  });
});

describe('a checker whose thread fails', () => {
  function rig() {
    const time = new FakeTime();
    const orders: ProberOrder[][] = [];
    const events: WorkerEvents[] = [];
    let terminated = 0;
    const checker = new Checker({
      nowMs: () => time.monotonicMs(),
      timers: time,
      logger: quiet,
      onVerdicts: () => {},
      startWorker: (_settings, workerEvents) => {
        const mine: ProberOrder[] = [];
        orders.push(mine);
        events.push(workerEvents);
        return { post: (order) => mine.push(order), terminate: async () => void terminated++ };
      },
    });
    return { time, orders, events, checker, terminated: () => terminated };
  }
  const up = nextVerdict(
    firstVerdict({ kind: 'new', initialState: 'Down' }, 5),
    passed,
    { successThreshold: 1, failureThreshold: 3 },
    5,
  );

  it('starts another one, which goes on from the verdicts', () => {
    const { time, orders, events, checker } = rig();
    checker.setChecks([check('a'), check('b', { probe: probe('192.0.2.2') })]);
    const first = orders[0]?.[0];
    assert.ok(first?.type === 'update');
    const judgeId = first.addedJudges[0]?.id ?? 0;
    events[0]?.onReport({ verdicts: [{ judgeId, verdict: up }], samples: [], totals: undefined });
    events[0]?.onExit(new Error('out of memory'));
    assert.equal(checker.verdictOf('a')?.isUp, true);
    time.advance(1000);
    const second = orders[1]?.[0];
    assert.ok(second?.type === 'update');
    assert.equal(second.addedProbes.length, 2);
    assert.deepEqual(
      second.addedJudges.map(({ beginning }) => beginning),
      [
        { kind: 'kept', isUp: true, reason: undefined, sinceMs: 5 },
        { kind: 'new', initialState: 'Down' },
      ],
    );
    assert.equal(checker.proberHealth().restarts, 1);
  });

  it('remembers when a target was asked last, and its certificate, over threads and probes that fail', () => {
    const { time, orders, events, checker } = rig();
    checker.setChecks([check('a')]);
    assert.deepEqual(checker.recordOf('a'), { ageMs: 0, outcome: undefined, certificateEndsMs: undefined });
    const first = orders[0]?.[0];
    const probeId = (first?.type === 'update' && first.addedProbes[0]?.id) || 0;
    const tell = (atMs: number, outcome: string, certificateEndsMs?: number): void =>
      events.at(-1)?.onReport({
        verdicts: [],
        samples: [{ probeId, atMs, latencyMs: 1, outcome, certificateEndsMs }],
        totals: [],
        punctuality: { delayMs: 5, missed: 1, heldUpMs: 2 },
      });
    tell(time.monotonicMs(), 'passed', 777);
    tell(time.monotonicMs(), 'CertificateExpired');
    time.advance(4000);
    events[0]?.onExit(undefined);
    time.advance(1000);
    const record = { ageMs: 5000, outcome: 'CertificateExpired', certificateEndsMs: 777 };
    assert.deepEqual(checker.recordOf('a'), record);
    assert.equal(checker.proberHealth().oldestAgeMs, 5000);
    tell(time.monotonicMs(), 'passed');
    assert.deepEqual(checker.proberHealth().punctuality, { delayMs: 10, missed: 2, heldUpMs: 4 });
    assert.equal(checker.recordOf('b'), undefined);
  });

  it('waits longer each time it fails', () => {
    const { time, orders, events, checker } = rig();
    checker.setChecks([check('a')]);
    for (const waitMs of [1000, 2000, 4000, 8000]) {
      const count = orders.length;
      events.at(-1)?.onExit(undefined);
      time.advance(waitMs - 1);
      assert.equal(orders.length, count);
      time.advance(1);
      assert.equal(orders.length, count + 1);
    }
  });

  it('a thread that hangs is seen, and replaced', () => {
    const { time, orders, checker, terminated } = rig();
    checker.setChecks([check('a')]);
    time.advance(13_000);
    assert.deepEqual([checker.proberHealth().overdue, terminated()], [1, 0]);
    time.advance(10_000);
    assert.equal(terminated(), 1);
    assert.equal(orders.length, 2);
  });

  it('changes are sent as changes, and the same checks as nothing', () => {
    const { orders, checker } = rig();
    const a = check('a');
    checker.setChecks([a]);
    checker.setChecks([a]);
    checker.setChecks([a, check('b', { probe: probe('192.0.2.2') })]);
    assert.equal(orders[0]?.length, 2);
    const change = orders[0]?.[1];
    assert.ok(change?.type === 'update');
    assert.deepEqual([change.addedProbes.length, change.removedProbes.length], [1, 0]);
  });
});

describe('the bundle', () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'lvs-health-'));
  after(() => rmSync(folder, { recursive: true }));

  it('starts the prober from its own file', async () => {
    const outfile = path.join(folder, 'program.mjs');
    await buildProduct({ entry: 'test/health/bundle-program.ts', outfile });
    const { stdout } = await promisify(execFile)(process.execPath, [outfile], { timeout: 30_000 });
    assert.equal(stdout, 'up\n');
  });
});
