import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { Interface } from 'node:readline';
import { targetOf } from '../../test/lab/farm/job.ts';
import type { TargetFarm } from '../../test/lab/farm/target-farm.ts';

/** Some real servers of a farm: one process that can be killed, frozen and started again. */
export class RealServers {
  readonly #argv: readonly string[];
  readonly #farm: TargetFarm;
  #child: ChildProcess | undefined;
  #output: Interface | undefined;

  /** @param program the bundle of server-program.ts */
  constructor(farm: TargetFarm, program: string, { first, size, port }: RealServersOptions) {
    this.#farm = farm;
    const rips = Array.from({ length: size }, (_, index) => targetOf('198.19', first + index));
    this.#argv = [process.execPath, program, String(port), ...rips];
  }

  /** Returns when all of them listen. */
  async start(): Promise<void> {
    const child = this.#farm.host.spawn(this.#argv);
    child.stderr?.pipe(process.stderr);
    if (child.stdout === null) throw new Error('the servers have no output');
    this.#child = child;
    this.#output = createInterface({ input: child.stdout });
    await Promise.race([once(this.#output, 'line'), failOnceGone(child)]);
  }

  signal(signal: 'SIGKILL' | 'SIGSTOP' | 'SIGCONT'): void {
    if (this.#child?.kill(signal) !== true) throw new Error(`the servers cannot be sent ${signal}`);
  }

  /** Connections taken so far. */
  async taken(): Promise<number> {
    if (this.#output === undefined) throw new Error('the servers were never started');
    const line = once(this.#output, 'line');
    this.#child?.stdin?.write('\n');
    const [text] = (await line) as [string];
    return Number(text);
  }
}

export interface RealServersOptions {
  /** Of the targets of the farm. */
  readonly first: number;
  readonly size: number;
  readonly port: number;
}

async function failOnceGone(child: ChildProcess): Promise<never> {
  const [code] = (await once(child, 'exit')) as [number | null];
  throw new Error(`the servers ended with status ${code}`);
}
