import assert from 'node:assert/strict';
import { Agent, createServer } from 'node:http';
import type { RequestListener } from 'node:http';
import { createServer as createTcpServer } from 'node:net';
import type { AddressInfo, Server, Socket } from 'node:net';
import { after, describe, it } from 'node:test';
import { parseIpAddress } from '../../src/base/index.ts';
import { askReport, ReportPoller } from '../../src/load/index.ts';
import type { ReportQuestion, ReportTarget, ServerReport } from '../../src/load/index.ts';
import { RecordingLogger } from '../kube/objects.ts';

const agent = new Agent();
const open: Server[] = [];
after(() => {
  agent.destroy();
  for (const server of open) server.close();
});

async function listen(server: Server): Promise<number> {
  open.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
}

const question = (protocol: ReportQuestion['protocol'], port: number): ReportQuestion => ({
  protocol,
  address: '127.0.0.1',
  port,
  path: '/load',
});

describe('a real server that is asked for its load', () => {
  const answering = async (listener: RequestListener): Promise<ServerReport> =>
    askReport(question('ORCA', await listen(createServer(listener))), agent);

  it('says it in the JSON of ORCA, at its path', async () => {
    const report = await answering((request, response) => {
      response.end(
        JSON.stringify({ cpu_utilization: request.url === '/load' ? 0.4 : 9, mem_utilization: 0.2 }),
      );
    });
    assert.deepEqual(report, { utilisation: 0.4, memory: 0.2 });
  });

  const bad: [name: string, listener: RequestListener, message: RegExp][] = [
    [
      'redirects',
      (_, r) => r.writeHead(302, { location: 'http://169.254.169.254/' }).end(),
      /redirects are not followed/,
    ],
    ['never ends', (_, r) => r.write('{'), /did not answer within 1 s/],
    ['sends without end', (_, r) => r.end('x'.repeat(100_000)), /sent more than 16384 bytes/],
    ['sends no JSON', (_, r) => r.end('secret bytes'), /that is no JSON/],
    ['resets', (_, r) => r.socket?.resetAndDestroy(), /could not be asked/],
  ];
  for (const [name, listener, message] of bad) {
    it(`one that ${name} is an error that repeats nothing of it`, async () => {
      await assert.rejects(answering(listener), (error: Error) => {
        assert.match(error.message, message);
        assert.doesNotMatch(error.message, /secret|169\.254/);
        return true;
      });
    });
  }

  const speaking = async (speak: (socket: Socket) => void): Promise<ServerReport> =>
    askReport(
      question('AgentCheck', await listen(createTcpServer((socket) => speak(socket.on('error', () => {}))))),
      agent,
    );

  it('says it in a line as agents of HAProxy do, closed or not', async () => {
    assert.deepEqual(await speaking((socket) => socket.end('up 75%')), { utilisation: 0.25 });
    assert.deepEqual(await speaking((socket) => socket.write('30%\n')), { utilisation: 0.7 });
  });

  it('one that says nothing, or no end, or nonsense, is an error', async () => {
    await assert.rejects(
      speaking(() => {}),
      /did not answer within 1 s/,
    );
    await assert.rejects(
      speaking((socket) => socket.write('x'.repeat(100_000))),
      /sent more than 16384 bytes/,
    );
    await assert.rejects(
      speaking((socket) => socket.end('up\n')),
      /without a percentage/,
    );
  });
});

describe('asking many', () => {
  const target = (index: number, change: Partial<ReportTarget> = {}): ReportTarget => ({
    virtualService: 'default/web',
    address: parseIpAddress(`198.51.100.${index}`),
    protocol: 'ORCA',
    port: 9000,
    path: '/load',
    intervalMs: 10_000,
    ...change,
  });

  function rig(): {
    poller: ReportPoller;
    asked: string[];
    pass: (ms: number) => Promise<void>;
    answer: { report: ServerReport | Error };
  } {
    let nowMs = 1_000_000;
    const asked: string[] = [];
    const answer: { report: ServerReport | Error } = { report: { utilisation: 0.5 } };
    const poller = new ReportPoller({
      clock: { monotonicMs: () => nowMs },
      logger: new RecordingLogger(),
      ask: async ({ address }) => {
        asked.push(address);
        if (answer.report instanceof Error) throw answer.report;
        return answer.report;
      },
    });
    const pass = async (ms: number): Promise<void> => {
      nowMs += ms;
      await new Promise((resolve) => setImmediate(resolve));
    };
    return { poller, asked, pass, answer };
  }

  it('each is asked once an interval, spread, and only while somebody wants to know', async () => {
    const { poller, asked, pass } = rig();
    const targets = Array.from({ length: 10 }, (_, index) => target(index + 1));
    poller.turn(targets);
    await pass(1000);
    assert.equal(asked.length, 1, 'not all in one moment');
    for (let second = 0; second < 20; second++) {
      poller.turn(targets);
      await pass(1000);
    }
    assert.equal(asked.length, 21);
    assert.equal(poller.reports.length, 10);
    await pass(21_000);
    assert.deepEqual(
      [asked.length, poller.reports.length],
      [21, 0],
      'nobody turned, and what was said is old',
    );
  });

  it('one question for two virtual services is put once, as often as the more eager one wants', async () => {
    const { poller, asked, pass } = rig();
    const targets = [target(1), target(1, { virtualService: 'default/other', intervalMs: 5000 })];
    for (let second = 0; second < 11; second++) {
      poller.turn(targets);
      await pass(1000);
    }
    assert.equal(asked.length, 3);
    assert.deepEqual(
      poller.reports.map(({ virtualService }) => virtualService),
      ['default/web', 'default/other'],
    );
  });

  it('more than there is room for are all asked, though nobody turns but once', async () => {
    const { poller, asked, pass } = rig();
    const targets = Array.from({ length: 200 }, (_, index) => target(index + 1));
    poller.turn(targets);
    await pass(10_000);
    poller.turn(targets);
    for (let round = 0; round < 5; round++) await pass(0);
    assert.equal(new Set(asked).size, 200);
  });

  it('nobody asks where no probe goes', async () => {
    const { poller, asked, pass } = rig();
    const hidden = ['127.0.0.1', '169.254.169.254', '::1', 'fe80::1'].map((ip) =>
      target(1, { address: parseIpAddress(ip) }),
    );
    poller.turn(hidden);
    await pass(1000);
    assert.deepEqual([asked, poller.reports], [[], []]);
  });

  it('one that fails is told of once, and what is not wanted any more is forgotten', async () => {
    const { poller, pass, answer } = rig();
    answer.report = new Error('it is silent');
    const targets = [target(1)];
    poller.turn(targets);
    await pass(1000);
    assert.equal(poller.reports.length, 0);
    answer.report = { utilisation: 0.1 };
    await pass(10_000);
    poller.turn(targets);
    await pass(0);
    assert.equal(poller.reports[0]?.utilisation, 0.1);
    poller.turn([]);
    assert.deepEqual(poller.reports, []);
  });
});
