import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { TestContext } from 'node:test';
import { KubeError, openTransport, systemTimers } from '../../src/kube/index.ts';
import type { Credentials, KubeTransport } from '../../src/kube/index.ts';
import type { ErrorCode } from '../../src/base/index.ts';
import { makeCertificate } from './certificates.ts';
import { FakeTime, until } from './fake-time.ts';
import { startScriptedServer } from './scripted-server.ts';
import type { Script, ScriptedReply, ScriptedServer } from './scripted-server.ts';

interface Rig {
  readonly server: ScriptedServer;
  readonly transport: KubeTransport;
  readonly time: FakeTime;
  /** What a reading of the credentials gives; a test may change it. */
  readonly identity: { headers: Record<string, string>; ca?: string; failure?: Error };
  readonly reads: boolean[];
}

interface RigOptions {
  readonly tls?: { readonly key: string; readonly cert: string };
  /** Timeouts by the fake clock instead of the real one. */
  readonly hasFakeTimers?: boolean;
}

async function open(t: TestContext, script: Script, options: RigOptions = {}): Promise<Rig> {
  const server = await startScriptedServer(script, options);
  const time = new FakeTime();
  const reads: boolean[] = [];
  const identity: Rig['identity'] = { headers: {} };
  const read = async (isRefused: boolean): Promise<Credentials> => {
    reads.push(isRefused);
    if (identity.failure !== undefined) throw identity.failure;
    const tls = { isUnverified: false, ...(identity.ca === undefined ? {} : { ca: identity.ca }) };
    return { server: server.url, tls, headers: { ...identity.headers } };
  };
  const timers = options.hasFakeTimers === true ? time : systemTimers;
  const transport = openTransport({ credentials: { read }, clock: time, timers });
  t.after(async () => {
    await transport.close();
    await server.close();
  });
  return { server, transport, time, identity, reads };
}

async function failureOf(promise: Promise<unknown>): Promise<KubeError> {
  const error: unknown = await promise.then(
    () => assert.fail('it succeeded'),
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof KubeError, String(error));
  return error;
}

const get = { method: 'GET', path: '/x' } as const;

describe('transport', () => {
  it('sends method, path, query, body and content type, and decodes the answer', async (t) => {
    const { server, transport } = await open(t, (_, reply) => reply.json({ hello: 'world' }));
    const body = { a: 1 };
    const contentType = 'application/merge-patch+json';
    const answer = await transport.request({
      method: 'PATCH',
      path: '/apis/x',
      query: { a: '1&b' },
      body,
      contentType,
    });
    assert.deepEqual(answer, { hello: 'world' });
    const [request] = server.requests;
    assert.deepEqual(
      [request?.method, request?.path, request?.query.get('a'), request?.body],
      ['PATCH', '/apis/x', '1&b', body],
    );
    assert.equal(request?.headers['content-type'], contentType);
    assert.equal(request?.headers['accept'], 'application/json');
    assert.equal(request?.headers['user-agent'], 'lvs-operator');
  });

  const refusals: [status: number, code: ErrorCode, isRetryable: boolean][] = [
    [400, 'LVS_KUBE_REFUSED', false],
    [401, 'LVS_KUBE_DENIED', false],
    [403, 'LVS_KUBE_DENIED', false],
    [404, 'LVS_KUBE_NOT_FOUND', false],
    [408, 'LVS_KUBE_TIMEOUT', true],
    [409, 'LVS_KUBE_CONFLICT', false],
    [410, 'LVS_KUBE_EXPIRED', false],
    [422, 'LVS_KUBE_REFUSED', false],
    [429, 'LVS_KUBE_THROTTLED', true],
    [500, 'LVS_KUBE_SERVER', true],
    [503, 'LVS_KUBE_SERVER', true],
  ];
  for (const [status, code, isRetryable] of refusals) {
    it(`${status} is ${code}${isRetryable ? ', worth another attempt' : ''}`, async (t) => {
      const { transport, server } = await open(t, (_, reply) => reply.refuse(status, 'Because'));
      const error = await failureOf(transport.request(get));
      assert.deepEqual(
        [error.code, error.status, error.reason, error.isRetryable, error.message],
        [code, status, 'Because', isRetryable, 'GET /x: Because it is'],
      );
      assert.equal(server.requests.length, 1);
    });
  }

  it('hears how long to wait from the header or from the Status, within reason', async (t) => {
    const { transport } = await open(t, ({ path }, reply) => {
      if (path === '/header') reply.refuse(429, 'TooManyRequests', { 'retry-after': '7' });
      else if (path === '/long') reply.refuse(429, 'TooManyRequests', { 'retry-after': '86400' });
      else if (path === '/date')
        reply.refuse(503, 'Down', { 'retry-after': 'Wed, 21 Oct 2026 07:28:00 GMT' });
      else reply.json({ kind: 'Status', message: 'later', details: { retryAfterSeconds: 3 } }, 504);
    });
    const waits = [];
    for (const path of ['/header', '/status', '/long', '/date'])
      waits.push((await failureOf(transport.request({ method: 'GET', path }))).retryAfterMs);
    assert.deepEqual(waits, [7000, 3000, 120_000, undefined]);
  });

  it('says in a word what a proxy answered that is no API server', async (t) => {
    const { transport } = await open(t, ({ path }, reply) => {
      reply.response.writeHead(path === '/bad' ? 502 : 200).end('<html>Bad Gateway</html>');
    });
    const bad = await failureOf(transport.request({ method: 'GET', path: '/bad' }));
    assert.deepEqual([bad.code, bad.message], ['LVS_KUBE_SERVER', 'GET /bad: <html>Bad Gateway</html>']);
    const good = await failureOf(transport.request({ method: 'GET', path: '/good' }));
    assert.equal(good.code, 'LVS_KUBE_MALFORMED');
  });

  it('uses the same connections for calls that follow one another', async (t) => {
    const { server, transport } = await open(t, (_, reply) => reply.json({}));
    for (let i = 0; i < 20; i++) await transport.request(get);
    // undici hands out the answer a moment before it takes the connection back.
    assert.ok(server.connections <= 2, `${server.connections} connections`);
  });

  it('does not let watches keep calls waiting', async (t) => {
    const { transport } = await open(t, ({ path }, reply) => {
      if (path === '/watch') reply.open();
      else reply.json({ ok: true });
    });
    const watches = Array.from({ length: 40 }, () => transport.stream({ path: '/watch' }));
    await Promise.all(watches);
    assert.deepEqual(await transport.request(get), { ok: true });
  });

  for (const part of ['headers', 'body'] as const) {
    it(`gives up a call whose ${part} do not come`, async (t) => {
      const { transport, time, server } = await open(
        t,
        (_, reply) => {
          if (part === 'body') reply.open().raw('{"half":');
        },
        { hasFakeTimers: true },
      );
      const failure = failureOf(transport.request({ ...get, timeoutMs: 5000 }));
      await until(() => server.requests.length === 1);
      time.advance(5000);
      const error = await failure;
      assert.deepEqual([error.code, error.isRetryable], ['LVS_KUBE_TIMEOUT', true]);
      assert.deepEqual(time.delaysMs, []);
    });
  }

  it('gives up a watch whose headers do not come, and has no say in how long it lasts', async (t) => {
    const { transport, time, server } = await open(
      t,
      ({ path }, reply) => {
        if (path === '/lasts') reply.open();
      },
      { hasFakeTimers: true },
    );
    const failure = failureOf(transport.stream({ path: '/stalls' }));
    await until(() => server.requests.length === 1);
    time.advance(30_000);
    assert.equal((await failure).code, 'LVS_KUBE_TIMEOUT');
    await transport.stream({ path: '/lasts' });
    assert.deepEqual(time.delaysMs, []);
  });

  it('says that a connection broke in the middle of an answer', async (t) => {
    const { transport, server } = await open(t, (_, reply) => {
      reply.open().raw('{"half":');
      setTimeout(() => reply.reset(), 10);
    });
    const error = await failureOf(transport.request(get));
    assert.deepEqual([error.code, error.isRetryable], ['LVS_KUBE_UNREACHABLE', true]);
    assert.equal(server.requests.length, 1);
  });

  for (const [method, requests] of [
    ['GET', 2],
    ['POST', 1],
  ] as const) {
    it(`sends a ${method} ${requests === 2 ? 'once more' : 'once only'} when the connection drops before an answer`, async (t) => {
      let isFirst = true;
      const { transport, server } = await open(t, (_, reply) => {
        if (isFirst) reply.reset();
        else reply.json({ ok: true });
        isFirst = false;
      });
      const answer = transport.request({ method, path: '/x' });
      if (method === 'GET') assert.deepEqual(await answer, { ok: true });
      else assert.equal((await failureOf(answer)).code, 'LVS_KUBE_UNREACHABLE');
      assert.equal(server.requests.length, requests);
    });
  }

  it('ends with the reason of the signal of the caller', async (t) => {
    const { transport, server } = await open(t, () => {});
    const stop = new AbortController();
    const answer = transport.request({ ...get, signal: stop.signal });
    await until(() => server.requests.length === 1);
    stop.abort(new Error('enough'));
    await assert.rejects(answer, /enough/);
  });

  it('ends calls and watches when it is closed, and takes no more', async (t) => {
    const { transport, server } = await open(t, ({ path }, reply) => {
      if (path === '/watch') reply.open();
    });
    const stream = await transport.stream({ path: '/watch' });
    const reading = (async () => {
      for await (const _ of stream);
    })();
    const call = failureOf(transport.request(get));
    await until(() => server.requests.length === 2);
    await Promise.all([transport.close(), assert.rejects(reading, /closed/)]);
    assert.equal((await call).code, 'LVS_KUBE_UNREACHABLE');
    await failureOf(transport.request(get));
    assert.equal(server.requests.length, 2);
  });
});

describe('rotation of credentials', () => {
  const guard: Script = ({ headers }, reply) => {
    if (headers.authorization === 'Bearer new') reply.json({ ok: true });
    else reply.refuse(401, 'Unauthorized');
  };

  it('reads a token again that is refused, and sends the request once more', async (t) => {
    const { transport, identity, reads } = await open(t, guard);
    identity.headers['authorization'] = 'Bearer old';
    await failureOf(transport.request(get));
    identity.headers['authorization'] = 'Bearer new';
    assert.deepEqual(await transport.request({ method: 'POST', path: '/x', body: {} }), { ok: true });
    assert.deepEqual(reads, [false, true, true]);
  });

  it('does not repeat a request with the same token', async (t) => {
    const { transport, server, identity } = await open(t, guard);
    identity.headers['authorization'] = 'Bearer old';
    const error = await failureOf(transport.request(get));
    assert.equal(error.status, 401);
    assert.equal(server.requests.length, 1);
  });

  it('watches with the new token too', async (t) => {
    const { transport, identity } = await open(t, ({ headers }, reply) => {
      if (headers.authorization === 'Bearer new') reply.open();
      else reply.refuse(401, 'Unauthorized');
    });
    identity.headers['authorization'] = 'Bearer old';
    const first = transport.stream({ path: '/watch' });
    identity.headers['authorization'] = 'Bearer new';
    await first;
  });

  it('reads the token again every minute before it is refused', async (t) => {
    const { transport, server, identity, time } = await open(t, (_, reply) => reply.json({}));
    const seen = async (): Promise<unknown> => {
      await transport.request(get);
      return server.requests.at(-1)?.headers.authorization;
    };
    identity.headers['authorization'] = 'Bearer 1';
    assert.equal(await seen(), 'Bearer 1');
    identity.headers['authorization'] = 'Bearer 2';
    time.advance(59_999);
    assert.equal(await seen(), 'Bearer 1');
    time.advance(1);
    assert.equal(await seen(), 'Bearer 2');
  });

  it('goes on with what it has while the files are being replaced', async (t) => {
    const { transport, identity, time, server } = await open(t, (_, reply) => reply.json({}));
    identity.headers['authorization'] = 'Bearer 1';
    await transport.request(get);
    identity.failure = new Error('token is empty');
    time.advance(60_000);
    await transport.request(get);
    assert.equal(server.requests[1]?.headers.authorization, 'Bearer 1');
  });

  it('but cannot begin without any', async (t) => {
    const { transport, identity, server } = await open(t, (_, reply) => reply.json({}));
    identity.failure = new Error('token is empty');
    await assert.rejects(transport.request(get), /token is empty/);
    assert.equal(server.requests.length, 0);
  });

  const [oldCertificate, newCertificate] = [makeCertificate('old'), makeCertificate('new')];
  const greet: Script = (_, reply) => reply.json({ ok: true });

  /** The API server comes back at its place with a certificate of another authority. */
  async function replaceCertificate(t: TestContext, { server }: Rig): Promise<void> {
    await server.close();
    const next = await startScriptedServer(greet, {
      tls: newCertificate,
      port: Number(new URL(server.url).port),
    });
    t.after(() => next.close());
  }

  it('trusts a new authority at the moment when the old one does not fit any more', async (t) => {
    const rig = await open(t, greet, { tls: oldCertificate });
    rig.identity.ca = oldCertificate.cert;
    await rig.transport.request(get);
    await replaceCertificate(t, rig);
    rig.identity.ca = newCertificate.cert;
    assert.deepEqual(await rig.transport.request({ method: 'POST', path: '/x' }), { ok: true });
    assert.deepEqual(rig.reads, [false, true]);
  });

  it('trusts no certificate that the authority has not signed', async (t) => {
    const rig = await open(t, greet, { tls: oldCertificate });
    rig.identity.ca = oldCertificate.cert;
    await rig.transport.request(get);
    await replaceCertificate(t, rig);
    const error = await failureOf(rig.transport.request(get));
    assert.equal(error.code, 'LVS_KUBE_UNREACHABLE');
    assert.match(error.message, /certificate/);
  });

  it('lets a watch run on when new connections get another authority', async (t) => {
    let watch: ScriptedReply | undefined;
    const { transport, identity, server, time } = await open(
      t,
      ({ path }, reply) => {
        if (path === '/watch') watch = reply.open();
        else reply.json({ ok: true });
      },
      { tls: oldCertificate },
    );
    identity.ca = oldCertificate.cert;
    const chunks = (await transport.stream({ path: '/watch' }))[Symbol.asyncIterator]();
    await transport.request(get);
    const before = server.connections;
    identity.ca = `${oldCertificate.cert}${newCertificate.cert}`;
    time.advance(60_000);
    await transport.request(get);
    assert.equal(server.connections, before + 1);
    watch?.raw('still here');
    assert.equal(Buffer.from((await chunks.next()).value ?? []).toString(), 'still here');
  });
});
