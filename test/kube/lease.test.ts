import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { fencedTransport, isKubeError, KubeClient, LeaderElection } from '../../src/kube/index.ts';
import type { KubeRequest } from '../../src/kube/index.ts';
import { FakeTime, settle } from './fake-time.ts';
import { MemoryTransport, refusal, unreachable } from './memory-transport.ts';
import { RecordingLogger } from './objects.ts';

type LeaseObject = { metadata: { name: string; resourceVersion?: string }; spec: Record<string, unknown> };

/** One lease with a version, as the API server keeps it. */
class LeaseServer {
  lease: LeaseObject | undefined;
  #version = 0;

  answer(request: KubeRequest): unknown {
    if (request.method === 'GET') {
      if (this.lease === undefined) throw refusal(404, 'NotFound');
      return structuredClone(this.lease);
    }
    const wanted = request.body as LeaseObject;
    if (request.method === 'POST' && this.lease !== undefined) throw refusal(409, 'AlreadyExists');
    if (request.method === 'PUT' && wanted.metadata.resourceVersion !== this.lease?.metadata.resourceVersion)
      throw refusal(409, 'Conflict');
    this.lease = { ...wanted, metadata: { ...wanted.metadata, resourceVersion: String(++this.#version) } };
    return structuredClone(this.lease);
  }

  get holder(): unknown {
    return this.lease?.spec['holderIdentity'];
  }
}

function candidate(identity: string, server: LeaseServer, time = new FakeTime()) {
  const transport = new MemoryTransport((request) => server.answer(request));
  const terms: AbortSignal[] = [];
  const election = new LeaderElection({
    client: new KubeClient(transport),
    namespace: 'lvs-system',
    name: 'controller',
    identity,
    clock: time,
    timers: time,
    random: () => 0,
    logger: new RecordingLogger(),
    onLeading: (term) => terms.push(term),
  });
  return { election, transport, time, terms };
}

type Candidate = ReturnType<typeof candidate>;

/** Time passes for all alike; nobody may ever lead beside another. */
async function pass(candidates: readonly Candidate[], ms: number): Promise<void> {
  for (let passed = 0; passed < ms; passed += 500) {
    for (const { time } of candidates) time.advance(500);
    await settle(1);
    const leaders = candidates.filter(({ election }) => election.isLeading);
    assert.ok(leaders.length <= 1, 'two lead');
  }
}

describe('leader election', () => {
  it('one of two leads, and goes on leading', async () => {
    const server = new LeaseServer();
    const [a, b] = [candidate('a', server), candidate('b', server)];
    a.election.start();
    b.election.start();
    await pass([a, b], 60_000);
    assert.deepEqual([a.election.isLeading, b.election.isLeading], [true, false]);
    assert.deepEqual([a.terms.length, b.terms.length, a.terms[0]?.aborted], [1, 0, false]);
    assert.equal(b.election.holder, 'a');
    await Promise.all([a.election.stop(), b.election.stop()]);
  });

  it('writes a lease that people and client-go can read', async () => {
    const server = new LeaseServer();
    const a = candidate('a', server);
    a.election.start();
    await settle();
    assert.deepEqual(server.lease?.spec, {
      holderIdentity: 'a',
      leaseDurationSeconds: 15,
      acquireTime: '2026-01-01T00:00:01.000000Z',
      renewTime: '2026-01-01T00:00:01.000000Z',
      leaseTransitions: 0,
    });
    await a.election.stop();
  });

  it('gives the lease back on stop, and the other leads within a retry period', async () => {
    const server = new LeaseServer();
    const [a, b] = [candidate('a', server), candidate('b', server)];
    a.election.start();
    await settle();
    b.election.start();
    await pass([a, b], 4000);
    await a.election.stop();
    assert.equal(a.terms[0]?.aborted, true);
    assert.equal(server.holder, '');
    await pass([a, b], 2500);
    assert.equal(b.election.isLeading, true);
    assert.equal(server.lease?.spec['leaseTransitions'], 1);
    await b.election.stop();
  });

  it('a leader that dies is followed after its lease, not before', async () => {
    const server = new LeaseServer();
    const [a, b] = [candidate('a', server), candidate('b', server)];
    a.election.start();
    await settle();
    b.election.start();
    await pass([a, b], 4000);
    a.time.pause();
    await pass([b], 14_000);
    assert.equal(b.election.isLeading, false);
    await pass([b], 5000);
    assert.equal(b.election.isLeading, true);
    await b.election.stop();
  });

  it('a leader that was paused knows at once that its time is over, and writes nothing', async () => {
    const server = new LeaseServer();
    const [a, b] = [candidate('a', server), candidate('b', server)];
    a.election.start();
    await settle();
    b.election.start();
    await pass([a, b], 4000);
    const fenced = fencedTransport(a.transport, a.election);
    await fenced.request({ method: 'GET', path: '/' });
    a.time.pause();
    await pass([a, b], 30_000);
    assert.equal(b.election.isLeading, true);
    const before = a.transport.requests.length;
    // The first thing that happens after the pause is not the timer but the work that was interrupted.
    assert.equal(a.election.isLeading, false);
    await assert.rejects(fenced.request({ method: 'PATCH', path: '/x' }), (error) =>
      isKubeError(error, 'LVS_KUBE_NOT_LEADER'),
    );
    assert.equal(a.transport.requests.length, before);
    await a.time.resume();
    await pass([a, b], 20_000);
    assert.ok(!a.transport.methods.slice(before).includes('PUT'), 'it does not even try to renew');
    assert.deepEqual(
      [a.terms.length, a.terms[0]?.aborted, b.terms.length, b.terms[0]?.aborted],
      [1, true, 1, false],
    );
    assert.equal(server.holder, 'b');
    await Promise.all([a.election.stop(), b.election.stop()]);
  });

  it('steps down by itself when the API server is gone, before others may lead', async () => {
    const server = new LeaseServer();
    const a = candidate('a', server);
    a.election.start();
    await settle();
    a.transport.answer = () => {
      throw unreachable();
    };
    await pass([a], 9500);
    assert.equal(a.election.isLeading, true);
    await pass([a], 500);
    assert.equal(a.election.isLeading, false);
    assert.equal(a.terms[0]?.aborted, true);
    a.transport.answer = (request) => server.answer(request);
    await pass([a], 3000);
    assert.equal(a.terms.length, 2, 'nobody took it meanwhile, so it leads again, in a new term');
    await a.election.stop();
  });

  it('counts a renewal from when it was sent: an answer that comes late grants nothing', async () => {
    const server = new LeaseServer();
    const a = candidate('a', server);
    a.election.start();
    await settle();
    let release: (() => void) | undefined;
    a.transport.answer = (request) =>
      new Promise((resolve) => {
        release = () => resolve(server.answer(request));
      });
    // Sent after two seconds, so it is good for twelve.
    await pass([a], 13_000);
    assert.equal(a.election.isLeading, false);
    release?.();
    await settle();
    assert.equal(server.lease?.spec['renewTime'], '2026-01-01T00:00:03.000000Z', 'the write did arrive');
    assert.equal(a.election.isLeading, false);
    assert.equal(a.terms.length, 1, 'and no term begins by it');
    a.transport.answer = (request) => server.answer(request);
    await a.election.stop();
  });

  it('finds its own renewal when only the answer was lost', async () => {
    const server = new LeaseServer();
    const a = candidate('a', server);
    a.election.start();
    await settle();
    let isLost = true;
    a.transport.answer = (request) => {
      const answer = server.answer(request);
      if (request.method !== 'PUT' || !isLost) return answer;
      isLost = false;
      throw unreachable();
    };
    await pass([a], 20_000);
    assert.deepEqual([a.election.isLeading, a.terms.length, isLost], [true, 1, false]);
    await a.election.stop();
  });

  it('ends its term when somebody else holds the lease', async () => {
    const server = new LeaseServer();
    const a = candidate('a', server);
    a.election.start();
    await settle();
    server.answer({
      method: 'PUT',
      path: '',
      body: { ...server.lease, spec: { holderIdentity: 'thief', leaseDurationSeconds: 15 } },
    });
    await pass([a], 2500);
    assert.deepEqual([a.election.isLeading, a.terms[0]?.aborted, server.holder], [false, true, 'thief']);
    await a.election.stop();
    assert.equal(server.holder, 'thief', 'what it does not hold it does not release');
  });

  it('gives back a lease that it won while it was being stopped', async () => {
    const server = new LeaseServer();
    const a = candidate('a', server);
    let release: (() => void) | undefined;
    a.transport.answer = (request) => {
      if (request.method !== 'POST') return server.answer(request);
      return new Promise((resolve) => {
        release = () => resolve(server.answer(request));
      });
    };
    a.election.start();
    await settle();
    const stopped = a.election.stop();
    release?.();
    await stopped;
    assert.deepEqual([server.holder, a.election.isLeading, a.time.delaysMs], ['', false, []]);
    assert.ok(a.terms.every((term) => term.aborted));
  });

  it('two that find no lease: one makes it', async () => {
    const server = new LeaseServer();
    const [a, b] = [candidate('a', server), candidate('b', server)];
    for (const one of [a, b]) {
      const isFirst = { value: true };
      one.transport.answer = (request) => {
        if (request.method === 'GET' && isFirst.value) {
          isFirst.value = false;
          throw refusal(404, 'NotFound');
        }
        return server.answer(request);
      };
      one.election.start();
    }
    await pass([a, b], 10_000);
    assert.equal([a, b].filter(({ election }) => election.isLeading).length, 1);
    await Promise.all([a.election.stop(), b.election.stop()]);
  });
});

describe('fence', () => {
  it('gives a write no more time than the lease lasts', async () => {
    const server = new LeaseServer();
    const a = candidate('a', server);
    a.election.start();
    await settle();
    const inner = new MemoryTransport(() => ({}));
    const fenced = fencedTransport(inner, a.election);
    await fenced.request({ method: 'PATCH', path: '/x', timeoutMs: 30_000 });
    a.time.pause();
    a.time.advance(4000);
    await fenced.request({ method: 'PATCH', path: '/x' });
    await fenced.request({ method: 'PATCH', path: '/x', timeoutMs: 100 });
    await fenced.request({ method: 'GET', path: '/x' });
    assert.deepEqual(
      inner.requests.map(({ timeoutMs }) => timeoutMs),
      [15_000, 11_000, 100, undefined],
    );
    await a.election.stop();
  });

  it('lets nobody write who never led', async () => {
    const a = candidate('a', new LeaseServer());
    const fenced = fencedTransport(a.transport, a.election);
    await assert.rejects(fenced.request({ method: 'POST', path: '/x' }), /another replica may lead/);
  });
});
