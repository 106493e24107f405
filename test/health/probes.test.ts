import assert from 'node:assert/strict';
import { createServer as createHttp2Server, createSecureServer } from 'node:http2';
import type { ServerHttp2Stream } from 'node:http2';
import type { Socket } from 'node:net';
import { describe, it } from 'node:test';
import { TLSSocket, createServer as createTlsServer } from 'node:tls';
import type { HttpQuestion, Question, TlsQuestion } from '../../src/health/question.ts';
import { prepareTls } from '../../src/health/tls.ts';
import { makeCertificate } from '../kube/certificates.ts';
import { TestServer, askOnce, countDescriptors, serve } from './servers.ts';

const certificate = makeCertificate('server');
const expired = makeCertificate('late', '210101000000Z');
const trusting: TlsQuestion = { isVerified: true, caBundle: certificate.cert, minVersion: 'TLSv1.2' };
const blind: TlsQuestion = { isVerified: false, minVersion: 'TLSv1.2' };
const http: HttpQuestion = { type: 'http', method: 'GET', path: '/', headers: [], statuses: [[200, 399]] };
const hex = (text: string) => Buffer.from(text).toString('hex');

interface Case {
  readonly scenario: string;
  readonly question: Question;
  readonly server: () => Promise<TestServer>;
  readonly outcome: string;
  readonly timeoutMs?: number;
}

function cases(list: readonly Case[]): void {
  for (const { scenario, question, server, outcome, timeoutMs } of list) {
    it(scenario, async () => {
      const running = await server();
      try {
        const asked = await askOnce(question, running.port, timeoutMs);
        assert.equal(asked.outcome, outcome);
      } finally {
        await running.stop();
      }
    });
  }
}

/** Reads a little and answers with a text. */
const answer = (text: string) => () => serve((socket) => socket.once('data', () => socket.end(text)));
const greet = (text: string) => () => serve((socket) => socket.write(text));
const silent = () => serve(() => {});
const reset = () => serve((socket) => socket.resetAndDestroy());
/** One byte every few milliseconds, without end. */
const dribble = () =>
  serve((socket) => {
    const timer = setInterval(() => socket.write('x'), 5);
    socket.on('close', () => clearInterval(timer));
  });
/** As much as the socket takes, without end. */
const flood = (head: string) => () =>
  serve((socket) => {
    const pour = () => {
      while (socket.write(Buffer.alloc(65_536, 'x')));
    };
    socket.write(head);
    socket.on('drain', pour);
    pour();
  });

const closedPort = async () => {
  const server = await serve(() => {});
  const { port } = server;
  await server.stop();
  return port;
};

describe('tcp', () => {
  const banner: Question = { type: 'tcp', expectHex: hex('+OK') };
  cases([
    { scenario: 'a connection is enough', question: { type: 'tcp' }, server: silent, outcome: 'passed' },
    {
      scenario: 'a banner that comes in pieces',
      question: banner,
      server: () =>
        serve((socket) => {
          socket.write('x+');
          setTimeout(() => socket.write('OK hi'), 20);
        }),
      outcome: 'passed',
    },
    {
      scenario: 'an answer to what was sent',
      question: { type: 'tcp', sendHex: hex('PING\r\n'), expectHex: hex('+PONG') },
      server: answer('+PONG\r\n'),
      outcome: 'passed',
    },
    {
      scenario: 'another banner, and the end',
      question: banner,
      server: () => serve((socket) => socket.end('-ERR')),
      outcome: 'AnswerUnexpected',
    },
    { scenario: 'no banner', question: banner, server: silent, outcome: 'AnswerTimeout', timeoutMs: 100 },
    {
      scenario: 'a byte now and then',
      question: banner,
      server: dribble,
      outcome: 'AnswerTimeout',
      timeoutMs: 200,
    },
    { scenario: 'a flood', question: banner, server: flood(''), outcome: 'AnswerUnexpected' },
    {
      scenario: 'closed without a word',
      question: banner,
      server: () => serve((socket) => socket.end()),
      outcome: 'ClosedEarly',
    },
    { scenario: 'reset', question: banner, server: reset, outcome: 'ConnectionReset' },
  ]);

  it('a closed port is refused at once', async () => {
    const { outcome, tookMs } = await askOnce({ type: 'tcp' }, await closedPort());
    assert.equal(outcome, 'ConnectionRefused');
    assert.ok(tookMs < 500);
  });

  it('probes end with a reset, so that no TIME_WAIT uses up our ports', async () => {
    const ends: string[] = [];
    const server = await serve((socket) =>
      socket.on('error', (error: NodeJS.ErrnoException) => ends.push(error.code ?? '')),
    );
    for (let i = 0; i < 20; i++) await askOnce({ type: 'tcp' }, server.port);
    for (let i = 0; i < 100 && server.open > 0; i++) await new Promise((resolve) => setTimeout(resolve, 10));
    assert.equal(server.open, 0);
    await server.stop();
    assert.deepEqual(new Set(ends), new Set(['ECONNRESET']));
  });
});

describe('http', () => {
  const body = (text: string): HttpQuestion => ({ ...http, body: { kind: 'contains', text } });
  const ok = 'HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\nhello world';
  cases([
    { scenario: 'a status that is expected', question: http, server: answer(ok), outcome: 'passed' },
    {
      scenario: 'one that is not',
      question: http,
      server: answer('HTTP/1.1 500 No\r\n\r\n'),
      outcome: 'StatusUnexpected',
    },
    { scenario: 'a text in the body', question: body('o w'), server: answer(ok), outcome: 'passed' },
    {
      scenario: 'a text that is not there',
      question: body('bye'),
      server: answer(ok),
      outcome: 'BodyUnexpected',
    },
    {
      scenario: 'a pattern',
      question: { ...http, body: { kind: 'matches', pattern: '^h.*d$' } },
      server: answer(ok),
      outcome: 'passed',
    },
    {
      scenario: 'an endless body without the text',
      question: body('y'),
      server: flood('HTTP/1.1 200 OK\r\n\r\n'),
      outcome: 'BodyUnexpected',
    },
    {
      scenario: 'an endless body that is not asked about',
      question: http,
      server: flood('HTTP/1.1 200 OK\r\n\r\n'),
      outcome: 'passed',
    },
    {
      scenario: 'an endless head',
      question: http,
      server: flood('HTTP/1.1 200 OK\r\nA: '),
      outcome: 'AnswerTooLarge',
    },
    {
      scenario: 'a head byte by byte',
      question: http,
      server: dribble,
      outcome: 'AnswerTimeout',
      timeoutMs: 200,
    },
    { scenario: 'silence', question: http, server: silent, outcome: 'AnswerTimeout', timeoutMs: 100 },
    { scenario: 'reset', question: http, server: reset, outcome: 'ConnectionReset' },
    {
      scenario: 'closed in the middle',
      question: body('x'),
      server: answer('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n1'),
      outcome: 'ClosedEarly',
    },
    {
      scenario: 'TLS garbage',
      question: http,
      server: greet('\x15\x03\x01\x00\x02\x02\x46'),
      outcome: 'AnswerTimeout',
      timeoutMs: 100,
    },
    {
      scenario: 'a bomb in gzip is taken as it is',
      question: body('0'),
      server: answer('HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\n\x1f\x8b\b\0'),
      outcome: 'BodyUnexpected',
    },
  ]);

  it('a redirect is a status and is not followed', async () => {
    const elsewhere = await serve(() => {});
    const location = `http://127.0.0.1:${elsewhere.port}/latest/meta-data`;
    const server = await answer(`HTTP/1.1 302 Found\r\nLocation: ${location}\r\nContent-Length: 0\r\n\r\n`)();
    assert.equal((await askOnce(http, server.port)).outcome, 'passed');
    assert.equal(
      (await askOnce({ ...http, statuses: [[200, 299]] }, server.port)).outcome,
      'StatusUnexpected',
    );
    await new Promise((resolve) => setTimeout(resolve, 50));
    assert.equal(elsewhere.connections, 0);
    await server.stop();
    await elsewhere.stop();
  });

  it('sends the request that was asked for, and one only', async () => {
    let seen = '';
    const server = await serve((socket) =>
      socket.on('data', (bytes) => {
        seen += bytes.toString();
        socket.end('HTTP/1.1 204 X\r\n\r\n');
      }),
    );
    const question: HttpQuestion = {
      ...http,
      method: 'HEAD',
      path: '/ready?x',
      host: 'shop.example',
      headers: [['X-Probe', '1']],
    };
    assert.equal((await askOnce(question, server.port)).outcome, 'passed');
    assert.match(seen, /^HEAD \/ready\?x HTTP\/1\.1\r\nHost: shop\.example\r\n[^]*X-Probe: 1\r\n\r\n$/);
    await server.stop();
  });
});

describe('https', () => {
  const serveTls =
    (
      options: { key: string; cert: string; requestCert?: boolean; ca?: string; maxVersion?: 'TLSv1.2' },
      text = 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n',
    ) =>
    () => {
      const server = createTlsServer(
        { ...options, rejectUnauthorized: options.requestCert === true },
        (socket) => {
          socket.on('error', () => {});
          socket.once('data', () => socket.end(text));
        },
      );
      return new TestServer(server).start();
    };
  const good = serveTls(certificate);
  const secure = (tls: TlsQuestion): HttpQuestion => ({ ...http, tls });
  const clientCertificate = { certificate: certificate.cert, key: certificate.key };
  cases([
    {
      scenario: 'a certificate that is trusted and for the address',
      question: secure(trusting),
      server: good,
      outcome: 'passed',
    },
    {
      scenario: 'one that nobody vouches for',
      question: secure({ ...trusting, caBundle: undefined }),
      server: good,
      outcome: 'CertificateUntrusted',
    },
    {
      scenario: 'one for another name',
      question: secure({ ...trusting, serverName: 'other.example' }),
      server: good,
      outcome: 'CertificateNameMismatch',
    },
    {
      scenario: 'one that has ended',
      question: secure({ ...trusting, caBundle: expired.cert }),
      server: serveTls(expired),
      outcome: 'CertificateExpired',
    },
    {
      scenario: 'any, where that was asked for',
      question: secure(blind),
      server: serveTls(expired),
      outcome: 'passed',
    },
    {
      scenario: 'an old version of TLS',
      question: secure({ ...trusting, minVersion: 'TLSv1.3' }),
      server: serveTls({ ...certificate, maxVersion: 'TLSv1.2' }),
      outcome: 'TlsFailed',
    },
    {
      scenario: 'no TLS at all',
      question: secure(trusting),
      server: greet('HTTP/1.1 400 Bad Request\r\n\r\n'),
      outcome: 'TlsFailed',
    },
    {
      scenario: 'silence in the handshake',
      question: secure(trusting),
      server: silent,
      outcome: 'AnswerTimeout',
      timeoutMs: 100,
    },
    {
      scenario: 'closed in the handshake',
      question: secure(trusting),
      server: () => serve((socket) => socket.once('data', () => socket.end())),
      outcome: 'ConnectionReset',
    },
    {
      scenario: 'a certificate of ours that is asked for',
      question: secure({ ...trusting, clientCertificate }),
      server: serveTls({ ...certificate, requestCert: true, ca: certificate.cert }),
      outcome: 'passed',
    },
    {
      scenario: 'authorities that cannot be read',
      question: secure({ ...trusting, clientCertificate: { certificate: 'x', key: 'y' } }),
      server: good,
      outcome: 'void Misconfigured',
    },
  ]);

  it('asks for the server by name, where one is given', async () => {
    const names: (string | false | null)[] = [];
    const server = await new TestServer(
      createTlsServer(certificate, (socket) => {
        names.push((socket as TLSSocket & { servername: string | false | null }).servername);
        socket.on('error', () => {});
        socket.once('data', () => socket.end('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n'));
      }),
    ).start();
    const named = await askOnce(secure({ ...trusting, serverName: 'server' }), server.port);
    const nameless = await askOnce(secure(trusting), server.port);
    assert.deepEqual([names, named.outcome, nameless.outcome], [['server', false], 'passed', 'passed']);
    await server.stop();
  });

  it('targets with the same authorities and certificate share the work of reading them', () => {
    const of = (tls: Partial<TlsQuestion>) => prepareTls({ ...trusting, ...tls }, [])?.context;
    assert.ok(of({}) !== undefined && of({}) === of({ serverName: 'a.example' }));
    assert.notEqual(of({}), of({ minVersion: 'TLSv1.3' }));
    assert.notEqual(of({}), of({ clientCertificate }));
    assert.equal(of({ clientCertificate }), of({ clientCertificate: { ...clientCertificate } }));
  });

  it('is not asked before what it refers to is there', async () => {
    const server = await good();
    const references = { caBundle: { name: 'ca', key: 'ca.crt' } };
    assert.equal(
      (await askOnce(secure({ ...trusting, references }), server.port)).outcome,
      'void Misconfigured',
    );
    assert.equal(server.connections, 0);
    await server.stop();
  });

  it('a server that wants a certificate refuses a probe without one', async () => {
    const server = await serveTls({ ...certificate, requestCert: true, ca: certificate.cert })();
    const { full } = await askOnce(secure(trusting), server.port);
    assert.equal(full.kind, 'failed');
    await server.stop();
  });

  it('tells when the certificate ends', async () => {
    const server = await good();
    const { full } = await askOnce(secure(trusting), server.port);
    assert.equal(full.kind === 'passed' ? full.certificateEndsMs : 0, Date.UTC(2049, 11, 31, 23, 59, 59));
    await server.stop();
  });
});

describe('grpc', () => {
  const grpc: Question = { type: 'grpc', service: 'shop' };
  const respond = (frame: string, trailers: Record<string, string>) => (stream: ServerHttp2Stream) => {
    stream.on('error', () => {});
    stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
    stream.on('wantTrailers', () => stream.sendTrailers(trailers));
    stream.end(Buffer.from(frame, 'hex'));
  };
  const serveGrpc =
    (onStream: (stream: ServerHttp2Stream) => void, isSecure = false) =>
    () => {
      const server = isSecure ? createSecureServer(certificate) : createHttp2Server();
      server.on('sessionError', () => {});
      server.on('session', (session) => session.on('error', () => {}));
      server.on('stream', onStream);
      return new TestServer(server).start();
    };
  const serving = respond('00000000020801', { 'grpc-status': '0' });
  cases([
    { scenario: 'serving', question: grpc, server: serveGrpc(serving), outcome: 'passed' },
    {
      scenario: 'serving over TLS',
      question: { ...grpc, tls: trusting },
      server: serveGrpc(serving, true),
      outcome: 'passed',
    },
    {
      scenario: 'not serving',
      question: grpc,
      server: serveGrpc(respond('00000000020802', { 'grpc-status': '0' })),
      outcome: 'NotServing',
    },
    {
      scenario: 'an unknown service',
      question: grpc,
      server: serveGrpc((stream) =>
        stream.respond({ ':status': 200, 'grpc-status': '5' }, { endStream: true }),
      ),
      outcome: 'ServiceUnknown',
    },
    {
      scenario: 'no such method',
      question: grpc,
      server: serveGrpc((stream) => stream.respond({ ':status': 404 }, { endStream: true })),
      outcome: 'StatusUnexpected',
    },
    {
      scenario: 'no status',
      question: grpc,
      server: serveGrpc(respond('00000000020801', {})),
      outcome: 'AnswerMalformed',
    },
    {
      scenario: 'more than a status',
      question: grpc,
      server: serveGrpc(respond('00'.repeat(5000), { 'grpc-status': '0' })),
      outcome: 'AnswerTooLarge',
    },
    {
      scenario: 'HTTP/1.1',
      question: grpc,
      server: answer('HTTP/1.1 400 Bad Request\r\n\r\n'),
      outcome: 'AnswerMalformed',
    },
    {
      scenario: 'a stream that never ends',
      question: grpc,
      server: serveGrpc((stream) => stream.respond({ ':status': 200 })),
      outcome: 'AnswerTimeout',
      timeoutMs: 200,
    },
    { scenario: 'silence', question: grpc, server: silent, outcome: 'AnswerTimeout', timeoutMs: 100 },
  ]);

  it('sends the service in a frame of its protocol', async () => {
    let seen = '';
    const server = await serveGrpc((stream) => {
      stream.on('data', (bytes: Buffer) => (seen += bytes.toString('hex')));
      stream.on('end', () => serving(stream));
    })();
    assert.equal((await askOnce(grpc, server.port)).outcome, 'passed');
    assert.equal(seen, `00000000060a04${hex('shop')}`);
    await server.stop();
  });
});

describe('smtp', () => {
  const smtp: Question = { type: 'smtp', heloName: 'probe.example' };
  const startTls: Question = { ...smtp, startTls: trusting };
  /** Answers by the first word of a line; `STARTTLS` goes on inside. */
  const mail =
    (replies: Record<string, string>, greeting = '220 mail\r\n') =>
    () =>
      serve((socket) => {
        socket.write(greeting);
        talk(socket, replies);
      });
  function talk(socket: Socket, replies: Record<string, string>): void {
    socket.on('data', (bytes) => {
      const word = bytes.toString().split(/\s/)[0] ?? '';
      const reply = replies[word];
      if (reply !== undefined) socket.write(reply);
      if (word !== 'STARTTLS' || reply?.startsWith('220') !== true) return;
      socket.removeAllListeners('data');
      const inner = new TLSSocket(socket, { isServer: true, ...certificate });
      inner.on('error', () => {});
      talk(inner, { EHLO: '250 inside\r\n' });
    });
  }
  const full = { EHLO: '250-mail\r\n250 STARTTLS\r\n', STARTTLS: '220 go\r\n' };
  cases([
    { scenario: 'a greeting and an EHLO', question: smtp, server: mail(full), outcome: 'passed' },
    { scenario: 'STARTTLS', question: startTls, server: mail(full), outcome: 'passed' },
    {
      scenario: 'STARTTLS that nobody offers',
      question: startTls,
      server: mail({ EHLO: '250 mail\r\n' }),
      outcome: 'TlsFailed',
    },
    {
      scenario: 'STARTTLS that is refused',
      question: startTls,
      server: mail({ ...full, STARTTLS: '454 no\r\n' }),
      outcome: 'StatusUnexpected',
    },
    {
      scenario: 'a server that is not available',
      question: smtp,
      server: mail({}, '554 no\r\n'),
      outcome: 'StatusUnexpected',
    },
    {
      scenario: 'another protocol',
      question: smtp,
      server: greet('SSH-2.0-x\r\n'),
      outcome: 'AnswerMalformed',
    },
    { scenario: 'a greeting without end', question: smtp, server: flood('220'), outcome: 'AnswerMalformed' },
    { scenario: 'no greeting', question: smtp, server: silent, outcome: 'AnswerTimeout', timeoutMs: 100 },
  ]);
});

describe('whatever a server does', () => {
  it('a thousand probes leave no descriptor and little memory behind', async () => {
    const servers = await Promise.all([
      silent(),
      dribble(),
      reset(),
      flood('HTTP/1.1 200 OK\r\n\r\n')(),
      flood('')(),
      greet('\x16\x03\x03\xff\xff')(),
    ]);
    const questions: Question[] = [
      { type: 'tcp', expectHex: hex('never') },
      { ...http, body: { kind: 'contains', text: 'never' } },
      { ...http, tls: blind },
      { type: 'grpc', service: '' },
      { type: 'smtp', heloName: 'a.example', startTls: blind },
    ];
    const round = () =>
      Promise.all(servers.flatMap(({ port }) => questions.map((question) => askOnce(question, port, 150))));
    for (let i = 0; i < 5; i++) await round();
    const before = { descriptors: countDescriptors(), bytes: process.memoryUsage().rss };
    for (let i = 0; i < 35; i++)
      for (const { tookMs } of await round()) assert.ok(tookMs < 1000, `${tookMs} ms`);
    await new Promise((resolve) => setTimeout(resolve, 100));
    const growth = (process.memoryUsage().rss - before.bytes) / 2 ** 20;
    for (const server of servers) await server.stop();
    await new Promise((resolve) => setTimeout(resolve, 50));
    assert.ok(
      countDescriptors() <= before.descriptors,
      `${countDescriptors()} descriptors, ${before.descriptors} before`,
    );
    assert.ok(growth < 100, `${growth.toFixed(0)} MiB more`);
  });
});
