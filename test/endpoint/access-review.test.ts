import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import type { Logger } from '../../src/base/index.ts';
import { AccessReview } from '../../src/endpoint/index.ts';
import { KubeError } from '../../src/kube/index.ts';
import type { KubeRequest } from '../../src/kube/index.ts';
import { FakeTime } from '../kube/fake-time.ts';

/** An API server that knows two tokens, one of which may read metrics. */
let time: FakeTime;
let asked: KubeRequest[];
let log: string[];
let isAway: boolean;
let review: AccessReview;
/** Answers wait for it. */
let gate: Promise<void>;

const users: Readonly<Record<string, unknown>> = {
  good: { username: 'prometheus', uid: 'u1', groups: ['scrapers'], extra: { 'x/y': ['z'] } },
  stranger: { username: 'tenant', groups: [] },
};

beforeEach(() => {
  time = new FakeTime();
  asked = [];
  log = [];
  isAway = false;
  gate = Promise.resolve();
  const note = (message: string): void => void log.push(message);
  const logger: Logger = { debug: note, info: note, warn: note, error: note, child: () => logger };
  const transport = {
    request: async (request: KubeRequest): Promise<unknown> => {
      asked.push(request);
      await gate;
      if (isAway) throw new KubeError('LVS_KUBE_UNREACHABLE', 'away', { operation: 'POST' });
      const { spec } = request.body as { spec: Record<string, unknown> };
      if (request.path.endsWith('/tokenreviews')) {
        const user = users[String(spec['token'])];
        return user === undefined ? { status: { user: {} } } : { status: { authenticated: true, user } };
      }
      return { status: { allowed: spec['user'] === 'prometheus' } };
    },
  };
  review = new AccessReview({ transport, clock: time, logger });
});

const ask = (token: string, path = '/metrics') => review.review(`Bearer ${token}`, path);

describe('who may read a page', () => {
  it('is who the API server knows and RBAC lets', async () => {
    assert.equal(await ask('good'), 'allowed');
    assert.deepEqual(
      asked.map(({ path }) => path),
      ['/apis/authentication.k8s.io/v1/tokenreviews', '/apis/authorization.k8s.io/v1/subjectaccessreviews'],
    );
    const body = asked.at(-1)?.body as { readonly spec: unknown } | undefined;
    assert.deepEqual(body?.spec, {
      user: 'prometheus',
      uid: 'u1',
      groups: ['scrapers'],
      extra: { 'x/y': ['z'] },
      nonResourceAttributes: { path: '/metrics', verb: 'get' },
    });
    assert.equal(await ask('stranger'), 'forbidden');
    assert.equal(await ask('nobody'), 'unauthenticated');
  });

  it('is nobody without a token that could be one, and the API server is not bothered', async () => {
    const headers = [undefined, '', 'Bearer', 'Bearer ', 'Basic Z29vZA==', `Bearer ${'x'.repeat(20_000)}`];
    for (const header of headers) assert.equal(await review.review(header, '/metrics'), 'unauthenticated');
    assert.equal(asked.length, 0);
  });

  it('is asked once a minute for those who may, every ten seconds for those who may not', async () => {
    for (const [token, lastsMs] of [
      ['good', 60_000],
      ['stranger', 10_000],
    ] as const) {
      const first = await ask(token);
      const { length } = asked;
      time.advance(lastsMs - 1);
      assert.equal(await ask(token), first);
      assert.equal(asked.length, length);
      time.advance(1);
      assert.equal(await ask(token), first);
      assert.ok(asked.length > length);
    }
  });

  it('is told per path', async () => {
    await ask('good', '/metrics');
    await ask('good', '/v1/counters');
    assert.equal(asked.length, 4);
  });

  it('is asked once when many ask the same at once', async () => {
    assert.deepEqual(
      new Set(await Promise.all(Array.from({ length: 20 }, () => ask('good')))),
      new Set(['allowed']),
    );
    assert.equal(asked.length, 2);
  });

  it('is nobody once the API server is away and the answer is old; that is told once', async () => {
    assert.equal(await ask('good'), 'allowed');
    isAway = true;
    time.advance(59_000);
    assert.equal(await ask('good'), 'allowed');
    time.advance(1000);
    assert.equal(await ask('good'), 'unavailable');
    assert.equal(await ask('good'), 'unavailable');
    assert.equal(log.length, 1);
    isAway = false;
    assert.equal(await ask('good'), 'allowed');
  });

  it('does not let strangers crowd out those who may', async () => {
    assert.equal(await ask('good'), 'allowed');
    let open = (): void => {};
    gate = new Promise((resolve) => (open = resolve));
    time.advance(60_000);
    const crowd = Array.from({ length: 1000 }, (_, number) => ask(`wrong-${number}`));
    assert.equal(asked.length - 2, 8, 'questions at a time');
    const known = ask('good');
    open();
    assert.equal(await known, 'allowed');
    const verdicts = await Promise.all(crowd);
    assert.equal(verdicts.filter((verdict) => verdict === 'unavailable').length, 992);
  });

  it('asks no more than ten times a second for strangers, and forgets the oldest of them', async () => {
    const before = performance.now();
    for (let number = 0; number < 500; number++) await ask(`wrong-${number}`);
    assert.equal(asked.length, 50);
    time.advance(10_000);
    assert.equal(await ask('good'), 'allowed');
    assert.ok(performance.now() - before < 1000);
  });
});
