/** Servers with a capacity and a crowd that comes whatever they do: what balancing by load is tried on. */
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { PodMetrics } from '../apiserver/pod-metrics.ts';
import type { LabHost } from './host.ts';
import type { LoadCounts } from './traffic/load-counts.ts';

export type { LoadCounts } from './traffic/load-counts.ts';

const programs = join(process.cwd(), 'test/lab/traffic');

interface Busy {
  readonly atMs: number;
  readonly busyMs: number;
}

export interface WorkerOptions {
  readonly port: number;
  /** Answers `GET /load` there. */
  readonly reportPort?: number;
  /** Mean time that a request takes it. */
  readonly serviceMs: number;
}

export class LabWorker {
  readonly host: LabHost;
  readonly #child: ChildProcess;
  readonly #history: Busy[] = [];

  private constructor(host: LabHost, child: ChildProcess) {
    this.host = host;
    this.#child = child;
    onLine(child, (line) => {
      if (line.startsWith('busy ')) this.#history.push(JSON.parse(line.slice(5)) as Busy);
    });
  }

  static async start(host: LabHost, options: WorkerOptions): Promise<LabWorker> {
    const child = startProgram(host, 'worker.ts', { name: host.name, ...options });
    const worker = new LabWorker(host, child);
    await ready(child, `worker on ${host.name}`);
    return worker;
  }

  setServiceMs(serviceMs: number): void {
    this.#child.stdin?.write(`service ${serviceMs}\n`);
  }

  kill(): void {
    this.#child.kill('SIGKILL');
  }

  /** Cores used in the last whole seconds, and when they ended; undefined: not so long there. */
  usage(
    seconds: number,
  ): { readonly cores: number; readonly atMs: number; readonly windowMs: number } | undefined {
    const last = this.#history.at(-1);
    const first = this.#history.at(-1 - seconds);
    if (last === undefined || first === undefined) return undefined;
    const windowMs = last.atMs - first.atMs;
    return { cores: (last.busyMs - first.busyMs) / windowMs, atMs: last.atMs, windowMs };
  }
}

/** Tells metrics.k8s.io every few seconds what workers use, as metrics-server does it. @returns ends it */
export function reportUsage(
  metrics: PodMetrics,
  pods: ReadonlyMap<string, LabWorker>,
  { namespace = 'default', seconds = 5 } = {},
): () => void {
  const timer = setInterval(() => {
    for (const [name, worker] of pods) {
      const usage = worker.usage(seconds);
      if (usage === undefined) continue;
      metrics.report(namespace, name, {
        cpu: `${Math.round(usage.cores * 1e9)}n`,
        timestamp: new Date(Math.round(usage.atMs / 1000) * 1000).toISOString().replace('.000Z', 'Z'),
        window: `${usage.windowMs / 1000}s`,
      });
    }
  }, seconds * 1000);
  return () => clearInterval(timer);
}

/** Requests that keep coming. */
export class LabLoad {
  readonly #child: ChildProcess;
  readonly #waiting: ((counts: LoadCounts) => void)[] = [];

  private constructor(child: ChildProcess) {
    this.#child = child;
    onLine(child, (line) => {
      if (line.startsWith('{')) this.#waiting.shift()?.(JSON.parse(line) as LoadCounts);
    });
  }

  static async start(
    client: LabHost,
    load: { readonly host: string; readonly port: number; readonly perSecond: number },
  ): Promise<LabLoad> {
    const child = startProgram(client, 'load-client.ts', load);
    const running = new LabLoad(child);
    await ready(child, 'crowd');
    return running;
  }

  /** What was answered since this was asked last. */
  take(): Promise<LoadCounts> {
    return this.#ask('take');
  }

  async stop(): Promise<LoadCounts> {
    const ended = once(this.#child, 'exit');
    const counts = await this.#ask('stop');
    await ended;
    return counts;
  }

  #ask(word: string): Promise<LoadCounts> {
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
      this.#child.stdin?.write(`${word}\n`);
    });
  }
}

function startProgram(host: LabHost, program: string, argument: unknown): ChildProcess {
  const child = host.spawn([process.execPath, `${programs}/${program}`, JSON.stringify(argument)]);
  child.stdin?.on('error', () => {});
  child.stdout?.setEncoding('utf8');
  child.stderr?.setEncoding('utf8');
  return child;
}

function onLine(child: ChildProcess, take: (line: string) => void): void {
  let pending = '';
  child.stdout?.on('data', (text: string) => {
    const lines = (pending + text).split('\n');
    pending = lines.pop() ?? '';
    for (const line of lines) take(line);
  });
}

async function ready(child: ChildProcess, what: string): Promise<void> {
  let errors = '';
  child.stderr?.on('data', (text: string) => (errors += text));
  await new Promise<void>((resolve, reject) => {
    onLine(child, (line) => {
      if (line === 'ready') resolve();
    });
    child.once('exit', (code) => reject(new Error(`${what} ended with status ${code}: ${errors}`)));
  });
}
