/**
 * A client of the lab, as a program: `node client.ts JOB` with a job as JSON. Prints `ready` when traffic flows, ends when the
 * job is done or a line arrives on standard input, and prints its counts as one line of JSON. Every job has an end of
 * its own, so a forgotten client cannot load the machine for ever.
 */
import dgram from 'node:dgram';
import http from 'node:http';
import net from 'node:net';
import type { ClientJob, HoldCounts, RequestCounts, StreamCounts } from './jobs.ts';

const job = JSON.parse(process.argv[2] ?? '{}') as ClientJob;
let isStopped = false;
const stopped = new Promise<void>((resolve) => {
  process.stdin.once('data', () => {
    isStopped = true;
    resolve();
  });
});
const counts = await run(job);
process.stdout.write(`${JSON.stringify(counts)}\n`, () => process.exit(0));

function run(wanted: ClientJob): Promise<unknown> {
  switch (wanted.job) {
    case 'requests':
      return sendRequests(wanted);
    case 'paced requests':
      return sendPacedRequests(wanted);
    case 'datagrams':
      return sendDatagrams(wanted);
    case 'hold':
      return holdConnections(wanted);
    case 'stream':
      return streamThroughHalfClose(wanted);
  }
}

function newRequestCounts(): RequestCounts {
  return { sent: 0, answered: 0, failed: 0, byServer: {}, failures: {}, longestMs: 0 };
}

function countAnswer(into: RequestCounts, server: string, sinceMs: number): void {
  into.answered++;
  into.byServer[server] = (into.byServer[server] ?? 0) + 1;
  into.longestMs = Math.max(into.longestMs, Math.round(performance.now() - sinceMs));
}

function countFailure(into: RequestCounts, kind: string): void {
  into.failed++;
  into.failures[kind] = (into.failures[kind] ?? 0) + 1;
}

type Target = Extract<ClientJob, { job: 'requests' }>;

/** One request; its own connection unless an agent keeps one. Never rejects: the outcome is in the counts. */
function sendOne(
  target: Omit<Target, 'job' | 'count' | 'concurrency'>,
  into: RequestCounts,
  agent: http.Agent | false,
): Promise<void> {
  into.sent++;
  const sinceMs = performance.now();
  return new Promise((resolve) => {
    const request = http.get(
      {
        host: target.host,
        port: target.port,
        path: `/?delay=${target.delayMs ?? 0}`,
        agent,
        timeout: target.timeoutMs ?? 5000,
        ...(target.localAddress === undefined ? {} : { localAddress: target.localAddress }),
      },
      (response) => {
        let body = '';
        response.setEncoding('utf8').on('data', (chunk: string) => (body += chunk));
        response.on('end', () => {
          if (response.statusCode === 200) countAnswer(into, body, sinceMs);
          else countFailure(into, `status ${response.statusCode}`);
          resolve();
        });
        response.on('error', (error) => fail(error));
      },
    );
    const fail = (error: Error & { code?: string }): void => {
      countFailure(into, error.code ?? error.message);
      resolve();
    };
    request.on('timeout', () => request.destroy(Object.assign(new Error('timeout'), { code: 'timeout' })));
    request.once('error', fail);
  });
}

async function sendRequests(wanted: Target): Promise<RequestCounts> {
  const into = newRequestCounts();
  const agent =
    wanted.keepAlive === true ? new http.Agent({ keepAlive: true, maxSockets: wanted.concurrency }) : false;
  console.log('ready');
  await Promise.all(
    Array.from({ length: wanted.concurrency }, async () => {
      while (into.sent < wanted.count && !isStopped) await sendOne(wanted, into, agent);
    }),
  );
  if (agent !== false) agent.destroy();
  return into;
}

/** Starts requests at an even pace whether or not earlier ones were answered. */
async function sendPacedRequests(
  wanted: Extract<ClientJob, { job: 'paced requests' }>,
): Promise<RequestCounts> {
  const into = newRequestCounts();
  const inFlight = new Set<Promise<void>>();
  const start = performance.now();
  console.log('ready');
  while (!isStopped && performance.now() - start < (wanted.longestMs ?? 120_000)) {
    const dueMs = start + into.sent * (1000 / wanted.perSecond);
    await Promise.race([stopped, sleep(Math.max(0, dueMs - performance.now()))]);
    if (isStopped) break;
    const one: Promise<void> = sendOne(wanted, into, false).finally(() => inFlight.delete(one));
    inFlight.add(one);
  }
  await Promise.all(inFlight);
  return into;
}

async function sendDatagrams(wanted: Extract<ClientJob, { job: 'datagrams' }>): Promise<RequestCounts> {
  const into = newRequestCounts();
  const type = wanted.host.includes(':') ? 'udp6' : 'udp4';
  let socket: dgram.Socket | undefined;
  console.log('ready');
  for (let i = 0; i < wanted.count && !isStopped; i++) {
    if (wanted.newPorts === true) {
      socket?.close();
      socket = undefined;
    }
    socket ??= dgram.createSocket(type);
    into.sent++;
    const sinceMs = performance.now();
    const answer = await askByDatagram(socket, wanted);
    if (answer === undefined) countFailure(into, 'timeout');
    else countAnswer(into, answer, sinceMs);
  }
  socket?.close();
  return into;
}

function askByDatagram(
  socket: dgram.Socket,
  { host, port, timeoutMs = 2000 }: { host: string; port: number; timeoutMs?: number },
): Promise<string | undefined> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => settle(undefined), timeoutMs);
    const settle = (answer: string | undefined): void => {
      clearTimeout(timer);
      socket.removeAllListeners();
      resolve(answer);
    };
    socket.once('message', (message) => settle(message.toString()));
    socket.once('error', () => settle(undefined));
    socket.send('?', port, host);
  });
}

/** Opens connections and sends a line over each at a steady pace; every line has to come back. */
async function holdConnections(wanted: Extract<ClientJob, { job: 'hold' }>): Promise<HoldCounts> {
  const into: HoldCounts = {
    opened: 0,
    refused: 0,
    broken: 0,
    failures: {},
    messages: 0,
    byServer: {},
    brokenByServer: {},
    longestGapMs: 0,
  };
  const sockets = new Set<net.Socket>();
  await Promise.all(
    Array.from({ length: wanted.connections }, async (_, index) => {
      await sleep(index * (wanted.openEveryMs ?? 5));
      await holdOne(wanted, into, sockets);
    }),
  );
  console.log('ready');
  await Promise.race([stopped, sleep(wanted.longestMs ?? 120_000)]);
  isStopped = true;
  for (const socket of sockets) socket.destroy();
  return into;
}

/** Resolves once the first line came back, or the connection failed. */
function holdOne(
  wanted: Extract<ClientJob, { job: 'hold' }>,
  into: HoldCounts,
  sockets: Set<net.Socket>,
): Promise<void> {
  return new Promise((resolve) => {
    const socket = net.connect({ host: wanted.host, port: wanted.port, noDelay: true });
    sockets.add(socket);
    const line = wanted.http === true ? 'GET / HTTP/1.1\r\nHost: lab\r\n\r\n' : 'x\n';
    let lastMs = performance.now();
    let isOpen = false;
    let server = '';
    const timer = setInterval(() => {
      if (isOpen) into.longestGapMs = Math.max(into.longestGapMs, Math.round(performance.now() - lastMs));
      if (socket.writable) socket.write(line);
    }, wanted.everyMs);
    const end = (kind: string): void => {
      clearInterval(timer);
      if (!isStopped && sockets.delete(socket)) {
        if (isOpen) {
          into.broken++;
          into.brokenByServer[server] = (into.brokenByServer[server] ?? 0) + 1;
        } else into.refused++;
        into.failures[kind] = (into.failures[kind] ?? 0) + 1;
      }
      resolve();
    };
    socket.setEncoding('latin1');
    socket.on('connect', () => socket.write(wanted.http === true ? line : `ECHO\n${line}`));
    socket.on('data', (text: string) => {
      if (!isOpen) {
        isOpen = true;
        into.opened++;
        server = (wanted.http === true ? text.split('\r\n\r\n')[1] : text.split(' ')[0]) ?? '';
        into.byServer[server] = (into.byServer[server] ?? 0) + 1;
        resolve();
      }
      into.longestGapMs = Math.max(into.longestGapMs, Math.round(performance.now() - lastMs));
      lastMs = performance.now();
      into.messages++;
    });
    socket.on('error', (error: Error & { code?: string }) => end(error.code ?? error.message));
    socket.on('close', () => end('closed'));
  });
}

/** Asks for a stream, closes its own half, and reads to the end. */
function streamThroughHalfClose(wanted: Extract<ClientJob, { job: 'stream' }>): Promise<StreamCounts> {
  return new Promise((resolve) => {
    const into: StreamCounts = { bytes: 0, isComplete: false, failure: undefined, server: undefined };
    const socket = net.connect({ host: wanted.host, port: wanted.port, allowHalfOpen: true });
    let tail = '';
    socket.setEncoding('latin1');
    socket.on('connect', () => {
      socket.end(`ECHO\nwho\nSTREAM ${wanted.streamMs}\n`);
      console.log('ready');
    });
    socket.on('data', (text: string) => {
      into.server ??= text.split(' ')[0];
      into.bytes += text.length;
      tail = (tail + text).slice(-16);
    });
    socket.setTimeout(wanted.streamMs + 5000, () =>
      socket.destroy(Object.assign(new Error('silent'), { code: 'silent' })),
    );
    socket.on('error', (error: Error & { code?: string }) => (into.failure = error.code ?? error.message));
    socket.on('close', () => {
      into.isComplete = tail.endsWith('the end\n');
      resolve(into);
    });
  });
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
