import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { WorkQueue } from '../../src/kube/index.ts';
import type { WorkQueueOptions, WorkResult } from '../../src/kube/index.ts';
import { FakeTime, settle } from './fake-time.ts';
import { refusal } from './memory-transport.ts';

interface Job {
  readonly key: string;
  readonly startMs: number;
  readonly done: (result?: WorkResult) => void;
  readonly fail: (error: unknown) => void;
}

function openQueue(options: Partial<WorkQueueOptions> = {}) {
  const time = new FakeTime();
  /** Everything that was ever begun, and what of it has not ended. */
  const begun: Job[] = [];
  const open: Job[] = [];
  const failures: string[] = [];
  const queue = new WorkQueue({
    work: (key) =>
      new Promise((resolve, reject) => {
        const end = (settleJob: () => void): void => {
          open.splice(open.indexOf(job), 1);
          settleJob();
        };
        const job: Job = {
          key,
          startMs: time.monotonicMs(),
          done: (result = { kind: 'done' }) => end(() => resolve(result)),
          fail: (error) => end(() => reject(error)),
        };
        begun.push(job);
        open.push(job);
      }),
    clock: time,
    timers: time,
    random: () => 1,
    workers: 1,
    onFailure: (key, _, isGivenUp) => failures.push(`${key}${isGivenUp ? ' given up' : ''}`),
    ...options,
  });
  queue.start();
  const keys = (): string[] => begun.map(({ key }) => key);
  return { queue, time, begun, open, keys, failures };
}

describe('work queue', () => {
  it('works on a key once, however often it was added', async () => {
    const { queue, keys } = openQueue();
    for (let i = 0; i < 5; i++) queue.add('a');
    await settle();
    assert.deepEqual(keys(), ['a']);
    assert.equal(queue.size, 0);
  });

  it('works again on a key that was added while it was worked on, after and not beside', async () => {
    const { queue, open, keys } = openQueue({ workers: 3 });
    queue.add('a');
    await settle();
    queue.add('a');
    queue.add('a');
    await settle();
    assert.deepEqual(keys(), ['a']);
    open[0]?.done();
    await settle();
    assert.deepEqual(keys(), ['a', 'a']);
    open[0]?.done();
    await settle();
    assert.deepEqual(keys(), ['a', 'a']);
  });

  it('keeps the earlier of two times and the higher of two priorities', async () => {
    const { queue, time, begun } = openQueue({ workers: 2 });
    queue.add('a', { delayMs: 5000 });
    queue.add('a', { delayMs: 1000, priority: 1 });
    queue.add('a', { delayMs: 9000 });
    time.advance(999);
    await settle();
    assert.equal(begun.length, 0);
    time.advance(1);
    await settle();
    assert.deepEqual(
      begun.map(({ key, startMs }) => [key, startMs]),
      [['a', 2000]],
    );
  });

  it('keeps of each wish the better half', async () => {
    const { queue, time, open, keys } = openQueue();
    queue.add('running');
    await settle();
    queue.add('ordinary', { delayMs: 1000 });
    queue.add('early then urgent', { delayMs: 1000 });
    queue.add('early then urgent', { delayMs: 5000, priority: 1 });
    queue.add('urgent then early', { delayMs: 5000, priority: 1 });
    queue.add('urgent then early', { delayMs: 1000 });
    time.advance(1000);
    for (let i = 0; i < 4; i++) {
      open[0]?.done();
      await settle();
    }
    assert.deepEqual(keys(), ['running', 'early then urgent', 'urgent then early', 'ordinary']);
  });

  it('is not confused by a key that became urgent in the line of what is due', async () => {
    const { queue, open, keys } = openQueue({ workers: 2 });
    const isOpen = (key: string): number => open.filter((job) => job.key === key).length;
    queue.add('busy 1');
    queue.add('busy 2');
    await settle();
    queue.add('a');
    queue.add('a', { priority: 1 });
    while (open.length > 0) open[0]?.done();
    await settle();
    queue.add('a');
    queue.add('b');
    await settle();
    assert.deepEqual([isOpen('a'), isOpen('b'), queue.running], [1, 1, 2]);
    for (let i = 0; i < 4; i++) {
      open[0]?.done();
      await settle();
    }
    assert.deepEqual(keys(), ['busy 1', 'busy 2', 'a', 'b', 'a']);
  });

  it('does not work on a key that was forgotten', async () => {
    const { queue, open, keys } = openQueue();
    queue.add('running');
    await settle();
    queue.add('a');
    queue.add('b');
    queue.forget('a');
    open[0]?.done();
    await settle();
    assert.deepEqual(keys(), ['running', 'b']);
  });

  it('does not send a key that is hurried to the end of the line', async () => {
    const { queue, time, open, keys } = openQueue();
    queue.add('running');
    await settle();
    queue.add('a', { delayMs: 100 });
    queue.add('b', { delayMs: 100 });
    queue.add('a', { delayMs: 50 });
    time.advance(100);
    for (let i = 0; i < 3; i++) {
      open[0]?.done();
      await settle();
    }
    assert.deepEqual(keys(), ['running', 'a', 'b']);
  });

  it('takes what is urgent first, and of equals what came first', async () => {
    const { queue, open, keys } = openQueue();
    queue.add('running');
    await settle();
    for (const key of ['a', 'b', 'c']) queue.add(key);
    queue.add('urgent', { priority: 10 });
    queue.add('c', { priority: 5 });
    for (let i = 0; i < 5; i++) {
      open[0]?.done();
      await settle();
    }
    assert.deepEqual(keys(), ['running', 'urgent', 'c', 'a', 'b']);
  });

  it('only gathers until it is started', async () => {
    const { keys } = openQueue();
    const time = new FakeTime();
    const worked: string[] = [];
    const queue = new WorkQueue({
      work: async (key) => {
        worked.push(key);
        return { kind: 'done' };
      },
      clock: time,
      timers: time,
      random: () => 1,
      onFailure: () => {},
    });
    queue.add('a');
    await settle();
    assert.deepEqual([worked, keys()], [[], []]);
    queue.start();
    await settle();
    assert.deepEqual(worked, ['a']);
  });

  it('never works inside the call that adds', () => {
    const { queue, keys } = openQueue();
    queue.add('a');
    assert.deepEqual(keys(), []);
  });

  it('comes back with growing delays after failures, and gives up after so many', async () => {
    const { queue, time, begun, open, failures } = openQueue({
      retries: 4,
      firstDelayMs: 100,
      longestDelayMs: 500,
    });
    queue.add('a');
    await settle();
    for (let i = 0; i < 5; i++) {
      open[0]?.fail(new Error('no'));
      await settle();
      await time.advanceUntil(() => open.length > 0, 10, 1000).catch(() => {});
    }
    const starts = begun.map(({ startMs }) => startMs);
    assert.deepEqual(
      starts.slice(1).map((startMs, i) => startMs - (starts[i] ?? 0)),
      [100, 200, 400, 500],
    );
    assert.deepEqual(failures, ['a', 'a', 'a', 'a', 'a given up']);
  });

  it('begins with small delays again after a success, and after giving up', async () => {
    const { queue, time, begun, open } = openQueue({ retries: 1, firstDelayMs: 100 });
    const outcomes = ['fail', 'done', 'fail', 'fail', 'fail'] as const;
    for (const outcome of outcomes) {
      queue.add('a', { delayMs: 100_000 });
      await time.advanceUntil(() => open.length > 0, 100);
      if (outcome === 'done') open[0]?.done();
      else open[0]?.fail(new Error('no'));
      await settle();
    }
    await time.advanceUntil(() => open.length > 0, 100);
    const starts = begun.map(({ startMs }) => startMs);
    assert.deepEqual(
      starts.slice(1).map((startMs, i) => startMs - (starts[i] ?? 0)),
      [100, 100_000, 100, 100_000, 100],
    );
  });

  it('waits as long as the API server asks', async () => {
    const { queue, time, open, begun } = openQueue();
    queue.add('a');
    await settle();
    open[0]?.fail(refusal(429, 'TooManyRequests', '30'));
    await time.advanceUntil(() => begun.length === 2, 100);
    assert.equal((begun[1]?.startMs ?? 0) - (begun[0]?.startMs ?? 0), 30_000);
  });

  it('works again after the time that a worker asked for, or when hurried', async () => {
    const { queue, time, open, begun } = openQueue();
    queue.add('a');
    await settle();
    open[0]?.done({ kind: 'again', afterMs: 60_000 });
    await time.advanceUntil(() => begun.length === 2, 1000);
    assert.equal((begun[1]?.startMs ?? 0) - (begun[0]?.startMs ?? 0), 60_000);
    open[0]?.done({ kind: 'again', afterMs: 60_000 });
    await settle();
    queue.add('a');
    await settle();
    assert.equal(begun.length, 3);
    assert.deepEqual(time.delaysMs, [], 'the old time is gone');
  });

  it('ends: nothing new, the signal aborted, running work awaited', async () => {
    const time = new FakeTime();
    let end: (() => void) | undefined;
    let seen: AbortSignal | undefined;
    const queue = new WorkQueue({
      work: (_, signal) => {
        seen = signal;
        return new Promise((resolve) => (end = () => resolve({ kind: 'done' })));
      },
      clock: time,
      timers: time,
      random: () => 1,
      onFailure: () => {},
    });
    queue.start();
    queue.add('a');
    queue.add('later', { delayMs: 1000 });
    await settle();
    let isStopped = false;
    const stop = queue.stop().then(() => (isStopped = true));
    queue.add('b');
    await settle();
    assert.deepEqual([seen?.aborted, isStopped, queue.size, time.delaysMs], [true, false, 0, []]);
    end?.();
    await stop;
  });

  it('loses no key and never holds one twice, in any order of events', async () => {
    const key = fc.constantFrom('a', 'b', 'c');
    const step = fc.oneof(
      fc.record({
        kind: fc.constant('add' as const),
        key,
        delayMs: fc.constantFrom(0, 0, 50, 500),
        priority: fc.nat(2),
      }),
      fc.record({ kind: fc.constant('advance' as const), ms: fc.nat(300) }),
      fc.record({
        kind: fc.constant('end' as const),
        how: fc.constantFrom('done', 'fail', 'again'),
        index: fc.nat(2),
      }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
        const { queue, time, open, begun } = openQueue({ workers: 2, retries: 1000, longestDelayMs: 400 });
        const added = new Map<string, number>();
        const endJob = (job: Job | undefined, how: string): void => {
          if (how === 'fail') job?.fail(new Error('no'));
          else job?.done(how === 'again' ? { kind: 'again', afterMs: 70 } : { kind: 'done' });
        };
        for (const one of steps) {
          if (one.kind === 'add') {
            queue.add(one.key, one);
            added.set(one.key, begun.filter((job) => job.key === one.key).length);
          } else if (one.kind === 'advance') time.advance(one.ms);
          else endJob(open[one.index], one.how);
          await settle(1);
          assert.ok(open.length <= 2);
          assert.equal(new Set(open.map((job) => job.key)).size, open.length, 'two workers on one key');
        }
        for (let i = 0; i < 60 && (open.length > 0 || queue.size > 0); i++) {
          endJob(open[0], 'done');
          await settle(1);
          time.advance(100);
          await settle(1);
        }
        for (const [name, before] of added) {
          const runs = begun.filter((job) => job.key === name).length;
          assert.ok(runs > before, `${name} was added after ${before} runs and saw ${runs}`);
        }
        assert.deepEqual([open.length, queue.size, queue.running, time.delaysMs], [0, 0, 0, []]);
      }),
      { numRuns: 80 },
    );
  });
});
