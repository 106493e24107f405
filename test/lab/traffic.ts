/** Drives servers and clients of the lab: one process per host and role, started here, counted here. */
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { LabHost } from './host.ts';
import type { ClientJob, HoldCounts, Manner, RequestCounts, StreamCounts } from './traffic/jobs.ts';

export type { HoldCounts, RequestCounts, StreamCounts } from './traffic/jobs.ts';

/** Programs and bundle are found from the repository root, where every lab program starts: tests are bundled elsewhere. */
const programs = join(process.cwd(), 'test/lab/traffic');

export interface ServerRoles {
  /** Port numbers per role; see traffic/server.ts. */
  readonly http?: readonly number[];
  readonly echo?: readonly number[];
  readonly udp?: readonly number[];
}

export interface RunningServer {
  /** Ends the process without a word, as a crash does. */
  kill(): void;
  /** Freezes and thaws it: connections stay, answers do not come. */
  freeze(): void;
  thaw(): void;
  /** From the next request on it answers HTTP like that; `{}`: truly. */
  answer(manner: Manner): void;
}

/** Starts a server that answers with the host's name, and returns when it listens. */
export async function startServer(host: LabHost, roles: ServerRoles): Promise<RunningServer> {
  const child = startProgram(host, 'server.ts', { name: host.name, ...roles });
  await untilReady(child, `server on ${host.name}`);
  return {
    kill: () => child.kill('SIGKILL'),
    freeze: () => child.kill('SIGSTOP'),
    thaw: () => child.kill('SIGCONT'),
    answer: (manner) => child.stdin?.write(`${JSON.stringify(manner)}\n`),
  };
}

/** Starts the same server on every host. */
export function startServers(hosts: readonly LabHost[], roles: ServerRoles): Promise<RunningServer[]> {
  return Promise.all(hosts.map((host) => startServer(host, roles)));
}

/** Traffic that goes on until it is stopped. */
export interface RunningTraffic<Counts> {
  /** Ends it, waits for what is in flight, and returns the counts. */
  stop(): Promise<Counts>;
}

/** New connections, one request each unless `keepAlive`; resolves when all have an outcome. */
export function sendRequests(
  client: LabHost,
  job: Omit<Extract<ClientJob, { job: 'requests' }>, 'job' | 'concurrency'> & {
    readonly concurrency?: number;
  },
): Promise<RequestCounts> {
  return runJob(client, { concurrency: 8, ...job, job: 'requests' });
}

/** UDP, one datagram after another, each answered before the next. */
export function sendDatagrams(
  client: LabHost,
  job: Omit<Extract<ClientJob, { job: 'datagrams' }>, 'job'>,
): Promise<RequestCounts> {
  return runJob(client, { ...job, job: 'datagrams' });
}

/** A steady flow of requests, each on a connection of its own: what runs while something is edited. */
export function startRequests(
  client: LabHost,
  job: Omit<Extract<ClientJob, { job: 'paced requests' }>, 'job'>,
): Promise<RunningTraffic<RequestCounts>> {
  return startJob(client, { ...job, job: 'paced requests' });
}

/** Long connections with a line every few milliseconds; returns once all are open (or refused). */
export function holdConnections(
  client: LabHost,
  job: Omit<Extract<ClientJob, { job: 'hold' }>, 'job'>,
): Promise<RunningTraffic<HoldCounts>> {
  return startJob(client, { ...job, job: 'hold' });
}

/** A transfer in half-close: the client has finished, the server streams on for `streamMs`. */
export async function startHalfClosedStream(
  client: LabHost,
  job: Omit<Extract<ClientJob, { job: 'stream' }>, 'job'>,
): Promise<{ finished: Promise<StreamCounts> }> {
  const child = startProgram(client, 'client.ts', { ...job, job: 'stream' });
  const counts = collectCounts<StreamCounts>(child);
  await untilReady(child, 'stream client');
  return { finished: counts };
}

function runJob(client: LabHost, job: ClientJob): Promise<RequestCounts> {
  return collectCounts<RequestCounts>(startProgram(client, 'client.ts', job));
}

async function startJob<Counts>(client: LabHost, job: ClientJob): Promise<RunningTraffic<Counts>> {
  const child = startProgram(client, 'client.ts', job);
  const counts = collectCounts<Counts>(child);
  await untilReady(child, `${job.job} client`);
  // Traffic that nobody stops ends with its host; whoever does stop it hears of what went wrong.
  counts.catch(() => {});
  return {
    stop: () => {
      child.stdin?.write('stop\n');
      return counts;
    },
  };
}

function startProgram(host: LabHost, program: string, argument: unknown): ChildProcess {
  const child = host.spawn([process.execPath, `${programs}/${program}`, JSON.stringify(argument)]);
  child.stdin?.on('error', () => {});
  child.stdout?.setEncoding('utf8');
  child.stderr?.setEncoding('utf8');
  return child;
}

async function untilReady(child: ChildProcess, what: string): Promise<void> {
  let errors = '';
  child.stderr?.on('data', (text: string) => (errors += text));
  let output = '';
  await new Promise<void>((resolve, reject) => {
    child.stdout?.on('data', (text: string) => {
      output += text;
      if (output.includes('ready')) resolve();
    });
    child.once('exit', (code) =>
      reject(new Error(`${what} ended with status ${code} before it was ready: ${errors}`)),
    );
  });
}

async function collectCounts<Counts>(child: ChildProcess): Promise<Counts> {
  let output = '';
  let errors = '';
  child.stdout?.on('data', (text: string) => (output += text));
  child.stderr?.on('data', (text: string) => (errors += text));
  const [code] = (await once(child, 'close')) as [number | null];
  const line = output.split('\n').find((candidate) => candidate.startsWith('{'));
  if (line === undefined) throw new Error(`a lab client ended with status ${code} and no counts: ${errors}`);
  return JSON.parse(line) as Counts;
}
