import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { EventRecorder, KubeClient } from '../../src/kube/index.ts';
import type { EventNote } from '../../src/kube/index.ts';
import { RateLimit } from '../../src/kube/rate-limit.ts';
import { FakeTime, settle } from './fake-time.ts';
import { MemoryTransport, refusal, unreachable } from './memory-transport.ts';
import type { Answer } from './memory-transport.ts';
import { RecordingLogger } from './objects.ts';

const accepted: Answer = () => ({ metadata: { name: 'event' } });

function note(over: Partial<EventNote> = {}, uid = 'uid-web'): EventNote {
  return {
    regarding: { apiVersion: 'example.org/v1', kind: 'Widget', name: 'web', namespace: 'shop', uid },
    type: 'Warning',
    reason: 'AddressConflict',
    action: 'Allocate',
    note: '192.0.2.10 is taken.',
    ...over,
  };
}

function openRecorder(answer: Answer = accepted) {
  const transport = new MemoryTransport(answer);
  const time = new FakeTime();
  const recorder = new EventRecorder({
    client: new KubeClient(transport),
    reportingController: 'example.org/controller',
    reportingInstance: 'controller-0',
    clock: time,
    timers: time,
    random: () => 0.5,
    logger: new RecordingLogger(),
  });
  const bodies = (): Record<string, unknown>[] =>
    transport.requests.map(({ body }) => body as Record<string, unknown>);
  return { transport, time, recorder, bodies };
}

/** Time that goes on while what it brings about happens. */
async function pass(time: FakeTime, seconds: number): Promise<void> {
  for (let second = 0; second < seconds; second++) {
    time.advance(1000);
    await settle();
  }
}

describe('event recorder', () => {
  it('makes an event of events.k8s.io/v1 in the namespace of the object', async () => {
    const { transport, recorder, bodies } = openRecorder();
    recorder.record(note());
    await settle();
    assert.equal(transport.requests[0]?.path, '/apis/events.k8s.io/v1/namespaces/shop/events');
    assert.deepEqual(bodies(), [
      {
        apiVersion: 'events.k8s.io/v1',
        kind: 'Event',
        metadata: { name: 'web.8000800080008000', namespace: 'shop' },
        eventTime: '2026-01-01T00:00:01.000000Z',
        reportingController: 'example.org/controller',
        reportingInstance: 'controller-0',
        regarding: note().regarding,
        type: 'Warning',
        reason: 'AddressConflict',
        action: 'Allocate',
        note: '192.0.2.10 is taken.',
      },
    ]);
  });

  it('counts repetitions in one patch', async () => {
    const { transport, time, recorder, bodies } = openRecorder();
    for (let i = 0; i < 50; i++) {
      recorder.record(note());
      await settle(1);
      time.advance(100);
    }
    await time.advanceUntil(() => transport.requests.length === 2);
    assert.deepEqual(transport.methods, ['POST', 'PATCH']);
    assert.equal(
      transport.requests[1]?.path,
      '/apis/events.k8s.io/v1/namespaces/shop/events/web.8000800080008000',
    );
    assert.deepEqual(bodies()[1], { series: { count: 50, lastObservedTime: '2026-01-01T00:00:05.900000Z' } });
  });

  it('begins another event when the last repetition is long ago', async () => {
    const { transport, time, recorder } = openRecorder();
    recorder.record(note());
    await settle();
    time.advance(6 * 60_000);
    recorder.record(note());
    await settle();
    assert.deepEqual(transport.methods, ['POST', 'POST']);
  });

  it('puts events of what belongs to the whole cluster into the default namespace', async () => {
    const { transport, recorder } = openRecorder();
    const { namespace: _, ...regarding } = note().regarding;
    recorder.record(note({ regarding }));
    await settle();
    assert.equal(transport.requests[0]?.path, '/apis/events.k8s.io/v1/namespaces/default/events');
  });

  it('cuts short an object that has much to say, and lets others speak', async () => {
    const { transport, time, recorder } = openRecorder();
    for (let i = 0; i < 40; i++) recorder.record(note({ note: `conflict number ${i}` }));
    recorder.record(note({}, 'another'));
    await time.advanceUntil(() => transport.requests.length >= 26, 10);
    await settle(20);
    assert.equal(transport.requests.length, 26);
    assert.equal(recorder.dropped, 15);
    time.advance(5 * 60_000);
    for (let i = 0; i < 3; i++) recorder.record(note({ note: `later conflict ${i}` }));
    await settle();
    assert.equal(transport.requests.length, 27);
  });

  it('tells of a thousand objects that fail at once one after another, and of each in the end', async () => {
    const { transport, time, recorder, bodies } = openRecorder();
    for (let object = 0; object < 1000; object++) recorder.record(note({}, `uid-${object}`));
    for (let turn = 0; turn < 100; turn++) await settle();
    await pass(time, 1);
    assert.ok(
      transport.requests.length >= 200 && transport.requests.length <= 206,
      `${transport.requests.length}`,
    );
    await pass(time, 60);
    assert.ok(transport.requests.length <= 510, `${transport.requests.length}`);
    await pass(time, 180);
    const told = new Set(bodies().map((body) => (body['regarding'] as { uid: string }).uid));
    assert.deepEqual([told.size, transport.requests.length, recorder.dropped], [1000, 1000, 0]);
  });

  it('writes no more than its pace while a thousand objects never come to rest', async () => {
    const { transport, time, recorder } = openRecorder();
    const minutes = 5;
    for (let minute = 0; minute < minutes; minute++) {
      // Repetitions of what was said, and something new of each.
      for (let object = 0; object < 1000; object++) {
        recorder.record(note({ reason: 'Down' }, `uid-${object}`));
        recorder.record(note({ note: `It fails for ${minute} minutes.` }, `uid-${object}`));
      }
      await pass(time, 60);
    }
    assert.ok(transport.requests.length <= 200 + minutes * 60 * 5, `${transport.requests.length}`);
    assert.ok(recorder.dropped > 0);
  });

  it('never cuts a note in the middle of a character', async () => {
    const { recorder, bodies } = openRecorder();
    recorder.record(note({ note: `x${'é'.repeat(600)}` }));
    await settle();
    assert.equal(bodies()[0]?.['note'], `x${'é'.repeat(511)}`);
  });

  it('tries again when the API server is busy, and gives up in the end', async () => {
    const { transport, time, recorder } = openRecorder(() => {
      throw unreachable();
    });
    recorder.record(note());
    await time.advanceUntil(() => recorder.dropped === 1);
    assert.equal(transport.requests.length, 5);
  });

  it('does not try again what is refused', async () => {
    const { transport, time, recorder } = openRecorder(() => {
      throw refusal(403, 'Forbidden');
    });
    recorder.record(note());
    await settle();
    time.advance(60_000);
    await settle();
    assert.equal(transport.requests.length, 1);
    assert.equal(recorder.dropped, 1);
  });

  it('makes an event again that the API server has forgotten', async () => {
    const { transport, time, recorder, bodies } = openRecorder(({ method }) => {
      if (method === 'PATCH') throw refusal(404, 'NotFound');
      return { metadata: { name: 'event' } };
    });
    recorder.record(note());
    await settle();
    recorder.record(note());
    await time.advanceUntil(() => transport.requests.length === 3);
    assert.deepEqual(transport.methods, ['POST', 'PATCH', 'POST']);
    assert.deepEqual(bodies()[2]?.['series'], { count: 2, lastObservedTime: '2026-01-01T00:00:01.000000Z' });
  });

  it('takes an event that is there already for its own, whose answer was lost', async () => {
    const { transport, time, recorder } = openRecorder(() => {
      if (transport.requests.length === 1) throw unreachable();
      throw refusal(409, 'AlreadyExists');
    });
    recorder.record(note());
    await time.advanceUntil(() => transport.requests.length === 2);
    await settle();
    assert.equal(recorder.dropped, 0);
  });
});

describe('rate limit', () => {
  it('gives a burst, then one per refill, for each key', () => {
    const limit = new RateLimit({ burst: 3, refillMs: 100 });
    const taken = (key: string, nowMs: number): number =>
      [1, 2, 3, 4, 5].filter(() => limit.take(key, nowMs)).length;
    assert.deepEqual(
      [taken('a', 0), taken('a', 99), taken('a', 100), taken('a', 310), taken('b', 310)],
      [3, 0, 1, 2, 3],
    );
  });

  it('forgets a key that has rested', () => {
    const limit = new RateLimit({ burst: 2, refillMs: 100 });
    for (let i = 0; i < 50; i++) limit.take(`key ${i}`, 0);
    limit.take('last', 1000);
    assert.equal(limit.size, 1);
  });
});
