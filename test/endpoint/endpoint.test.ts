import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { request as httpRequest } from 'node:http';
import type { IncomingHttpHeaders, RequestOptions } from 'node:http';
import { Agent, request as httpsRequest } from 'node:https';
import net from 'node:net';
import { describe, it } from 'node:test';
import type { TestContext } from 'node:test';
import { connect } from 'node:tls';
import { gunzipSync } from 'node:zlib';
import type { Logger } from '../../src/base/index.ts';
import { healthPage, makeCertificate, openEndpoint, textAnswer } from '../../src/endpoint/index.ts';
import type { Endpoint, EndpointOptions, Page } from '../../src/endpoint/index.ts';
import { FakeTime } from '../kube/fake-time.ts';

interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

const log: string[] = [];
const note = (message: string): void => void log.push(message);
const logger: Logger = { debug: note, info: note, warn: note, error: note, child: () => logger };

const open: Page = { isOpen: true, answer: () => textAnswer(200, 'open') };
const guarded: Page = { isOpen: false, answer: () => textAnswer(200, 'guarded') };

async function start(
  t: TestContext,
  pages: Readonly<Record<string, Page>>,
  more: Partial<EndpointOptions> = {},
): Promise<{ readonly endpoint: Endpoint; readonly port: number }> {
  const endpoint = await openEndpoint({
    listen: { host: undefined, port: 0, ...more.listen },
    pages: new Map(Object.entries(pages)),
    timers: new FakeTime(),
    logger,
    ...more,
  });
  t.after(() => endpoint.close());
  const { port } = endpoint;
  assert.ok(port !== undefined);
  return { endpoint, port };
}

function ask(
  port: number,
  path: string,
  options: RequestOptions & { isTls?: boolean; agent?: Agent } = {},
): Promise<Answer> {
  const { promise, resolve, reject } = Promise.withResolvers<Answer>();
  const send = options.isTls === true ? httpsRequest : httpRequest;
  const request = send({ host: '127.0.0.1', port, path, ...options }, (response) => {
    const chunks: Buffer[] = [];
    response
      .on('data', (chunk: Buffer) => chunks.push(chunk))
      .on('end', () =>
        resolve({
          status: response.statusCode ?? 0,
          headers: response.headers,
          body: Buffer.concat(chunks),
        }),
      )
      .on('error', reject);
  });
  request.on('error', reject).end();
  return promise;
}

describe('an endpoint', () => {
  it('answers GET and HEAD of its pages, and nothing else', async (t) => {
    const { port } = await start(t, { '/healthz': open });
    const got = await ask(port, '/healthz?verbose=1');
    assert.deepEqual([got.status, got.body.toString()], [200, 'open\n']);
    assert.equal(got.headers['cache-control'], 'no-store');
    const head = await ask(port, '/healthz', { method: 'HEAD' });
    assert.deepEqual([head.status, head.body.length], [200, 0]);
    assert.equal((await ask(port, '/')).status, 404);
    assert.equal((await ask(port, '/healthz/')).status, 404);
    for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS', 'TRACE'])
      assert.equal((await ask(port, '/healthz', { method })).status, 405);
  });

  it('counts its answers by page; paths that others make up are one', async (t) => {
    const { endpoint, port } = await start(t, { '/healthz': open });
    for (const path of ['/healthz', '/healthz', '/a', '/b']) await ask(port, path);
    assert.deepEqual(endpoint.answers, [
      { path: '/healthz', status: 200, count: 2 },
      { path: 'other', status: 404, count: 2 },
    ]);
  });

  it('shows a guarded page to who may see it, and the open ones to everybody', async (t) => {
    const verdicts = { good: 'allowed', stranger: 'forbidden', lost: 'unavailable' } as const;
    const asked: string[] = [];
    const access = {
      review: (header: string | undefined, path: string) => {
        asked.push(path);
        const token = header?.replace('Bearer ', '') ?? '';
        return Promise.resolve(verdicts[token as keyof typeof verdicts] ?? 'unauthenticated');
      },
    };
    const { port } = await start(t, { '/healthz': open, '/metrics': guarded }, { access });
    const status = async (token?: string): Promise<number> =>
      (
        await ask(port, '/metrics', {
          headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
        })
      ).status;
    assert.deepEqual(
      await Promise.all([status(), status('good'), status('stranger'), status('lost')]),
      [401, 200, 403, 503],
    );
    assert.equal(asked.length, 4);
    assert.equal((await ask(port, '/healthz')).status, 200);
    assert.equal(asked.length, 4, 'nobody was asked about an open page');
  });

  it('speaks TLS with the certificate that was told', async (t) => {
    const certificate = makeCertificate('node-1', Date.now(), Buffer.from([1, 2, 3]));
    const { port } = await start(t, { '/healthz': open }, { certificate });
    const socket = connect({ port, host: '127.0.0.1', ca: certificate.cert, servername: 'node-1' });
    await once(socket, 'secureConnect');
    const { raw } = socket.getPeerCertificate();
    assert.equal(createHash('sha256').update(raw).digest('hex'), certificate.sha256);
    socket.destroy();
    const agent = new Agent({ ca: certificate.cert, servername: 'node-1' });
    t.after(() => agent.destroy());
    assert.equal((await ask(port, '/healthz', { isTls: true, agent })).status, 200);
    await assert.rejects(ask(port, '/healthz'), 'without TLS there is no answer');
  });

  it('sends a long page in parts as they are made, compressed for who takes that', async (t) => {
    const part = 'lvs_director_passes_total 1\n'.repeat(1000);
    const long: Page = {
      isOpen: true,
      answer: () => ({
        status: 200,
        contentType: 'text/plain',
        body: (async function* () {
          for (let number = 0; number < 20; number++) {
            await Promise.resolve();
            yield part;
          }
        })(),
      }),
    };
    const { port } = await start(t, { '/metrics': long });
    const plain = await ask(port, '/metrics');
    assert.equal(plain.body.toString(), part.repeat(20));
    const packed = await ask(port, '/metrics', { headers: { 'accept-encoding': 'gzip, deflate' } });
    assert.equal(packed.headers['content-encoding'], 'gzip');
    assert.ok(packed.body.length * 20 < plain.body.length);
    assert.deepEqual(gunzipSync(packed.body), plain.body);
    const refused = await ask(port, '/metrics', { headers: { 'accept-encoding': 'gzip;q=0' } });
    assert.equal(refused.headers['content-encoding'], undefined);
  });

  it('says 500 for a page that fails, and goes on', async (t) => {
    const broken: Page = { isOpen: true, answer: () => Promise.reject(new Error('secret path')) };
    const { port } = await start(t, { '/healthz': open, '/broken': broken });
    const answer = await ask(port, '/broken');
    assert.equal(answer.status, 500);
    assert.doesNotMatch(answer.body.toString(), /secret/);
    assert.equal((await ask(port, '/healthz')).status, 200);
  });

  it('makes only so many long pages at a time', async (t) => {
    let finish = (): void => {};
    const gate = new Promise<void>((resolve) => (finish = resolve));
    const slow: Page = {
      isOpen: false,
      answer: async () => {
        await gate;
        return textAnswer(200, 'done');
      },
    };
    const { port } = await start(t, { '/metrics': slow, '/healthz': open });
    const statuses: number[] = [];
    const asked = Array.from({ length: 12 }, async () => {
      statuses.push((await ask(port, '/metrics')).status);
      if (statuses.length === 4) finish();
    });
    assert.equal((await ask(port, '/healthz')).status, 200);
    await Promise.all(asked);
    assert.deepEqual(statuses, [503, 503, 503, 503, 200, 200, 200, 200, 200, 200, 200, 200]);
  });

  it('closes connections of the host beyond its budget', async (t) => {
    const { port } = await start(t, { '/healthz': open });
    const sockets = Array.from({ length: 40 }, () => net.connect(port, '127.0.0.1'));
    t.after(() => sockets.forEach((socket) => socket.destroy()));
    for (const socket of sockets) socket.on('error', () => {});
    await Promise.all(sockets.slice(32).map((socket) => once(socket, 'close')));
    assert.equal(sockets.filter((socket) => !socket.closed).length, 32);
    for (const socket of sockets.slice(0, 4)) socket.destroy();
    await new Promise((resolve) => setTimeout(resolve, 30));
    assert.equal((await ask(port, '/healthz')).status, 200);
  });

  it('refuses headers without end', async (t) => {
    const { port } = await start(t, { '/healthz': open });
    const answer = await ask(port, '/healthz', { headers: { 'x-long': 'x'.repeat(20_000) } });
    assert.equal(answer.status, 431);
  });

  it('tries again for a port that is taken, and says so once', async (t) => {
    const holder = net.createServer().listen(0, '127.0.0.1');
    await once(holder, 'listening');
    const { port } = holder.address() as net.AddressInfo;
    const time = new FakeTime();
    const from = log.length;
    const endpoint = await openEndpoint({
      listen: { host: undefined, port },
      pages: new Map([['/healthz', open]]),
      timers: time,
      logger,
    });
    t.after(() => endpoint.close());
    // All addresses of both families: the loopback address of one of them is taken.
    if (endpoint.port === undefined) {
      time.advance(5000);
      await new Promise((resolve) => setTimeout(resolve, 20));
      assert.deepEqual(log.slice(from), ['the endpoint cannot listen yet; everything else goes on']);
      holder.close();
      await once(holder, 'close');
      time.advance(5000);
      await new Promise((resolve) => setTimeout(resolve, 20));
    } else holder.close();
    assert.equal(endpoint.port, port);
  });
});

describe('a page about health', () => {
  it('is 200 while everything is well, and names what is not', async () => {
    let problem: string | undefined;
    const page = healthPage(() => [
      { name: 'a', problem: undefined },
      { name: 'b', problem },
    ]);
    assert.deepEqual(await page.answer(), {
      status: 200,
      contentType: 'text/plain; charset=utf-8',
      body: '[+]a ok\n[+]b ok\nok\n',
    });
    problem = 'stuck';
    const bad = await page.answer();
    assert.deepEqual([bad.status, bad.body], [503, '[+]a ok\n[-]b failed: stuck\nfailed\n']);
  });
});
