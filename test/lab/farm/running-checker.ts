import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { LabHost } from '../host.ts';
import type { CheckerJob, CheckerLine, CheckerTotals, Turn } from './job.ts';

/** The product's prober, alone, as a process on a host of the lab. */
export class RunningChecker {
  /** Every turn of a verdict so far. */
  readonly turns: Turn[] = [];
  readonly #child: ChildProcess;
  readonly #exited: Promise<unknown>;
  readonly #waiting: PromiseWithResolvers<CheckerTotals>[] = [];

  private constructor(child: ChildProcess) {
    this.#child = child;
    this.#exited = once(this.#child, 'exit');
    this.#child.once('exit', (code) => {
      for (const { reject } of this.#waiting) reject(new Error(`the checker ended with status ${code}`));
    });
    this.#child.stdin?.on('error', () => {});
    this.#child.stderr?.pipe(process.stderr);
    if (this.#child.stdout !== null) {
      createInterface({ input: this.#child.stdout }).on('line', (text) => this.#take(text));
    }
  }

  /** @param program checker-program.ts of this folder, or its bundle */
  static start(host: LabHost, program: string, job: CheckerJob): RunningChecker {
    return new RunningChecker(host.spawn([process.execPath, program, JSON.stringify(job)]));
  }

  /** Outside the lab, on this machine itself. */
  static startHere(program: string, job: CheckerJob): RunningChecker {
    return new RunningChecker(spawn(process.execPath, [program, JSON.stringify(job)]));
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** How probes ended so far, up to half a second ago. */
  async totals(): Promise<CheckerTotals> {
    const answer = Promise.withResolvers<CheckerTotals>();
    this.#waiting.push(answer);
    this.#child.stdin?.write('\n');
    return answer.promise;
  }

  async stop(): Promise<void> {
    this.#child.stdin?.end();
    await this.#exited;
  }

  #take(text: string): void {
    const line = JSON.parse(text) as CheckerLine;
    if (line.kind === 'turns') this.turns.push(...line.turns);
    else this.#waiting.shift()?.resolve(line.totals);
  }
}
