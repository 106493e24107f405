import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, readdirSync } from 'node:fs';
import type { LabHost } from '../test/lab/host.ts';

export interface DirectorOptions {
  readonly product: string;
  readonly manifests: string;
  readonly stateDirectory: string;
  readonly configuration?: string;
}

/** The bundled product as a process, watched from outside through /proc. */
export class ProductProcess {
  readonly #child: ChildProcess;
  readonly #exited: Promise<unknown>;
  #log = '';

  private constructor(child: ChildProcess) {
    this.#child = child;
    this.#exited = once(child, 'exit');
    for (const stream of [child.stdout, child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => (this.#log = (this.#log + text).slice(-8192)));
    }
  }

  /** Watches what somebody else has started, with its output piped. */
  static watch(child: ChildProcess): ProductProcess {
    return new ProductProcess(child);
  }

  /** A director of manifests on a lab host. */
  static start(host: LabHost, options: DirectorOptions): ProductProcess {
    const flags = ['--manifests', options.manifests, '--state-dir', options.stateDirectory];
    if (options.configuration !== undefined) flags.push('--config', options.configuration);
    return new ProductProcess(host.spawn([process.execPath, options.product, 'director', ...flags]));
  }

  /** The end of its log, for when something goes wrong. */
  get log(): string {
    return this.#log;
  }

  /** @throws Error with the end of its log once it has ended by itself. */
  checkAlive(): void {
    if (this.#child.exitCode === null && this.#child.signalCode === null) return;
    throw new Error(`the process ended with status ${this.#child.exitCode}; its log ends:\n${this.#log}`);
  }

  /** Milliseconds of CPU that all of its threads have used, to the nanosecond (unlike /proc/PID/stat). */
  cpuMs(): number {
    const tasks = `/proc/${this.#child.pid}/task`;
    const nanoseconds = readdirSync(tasks).map((task) =>
      Number(readFileSync(`${tasks}/${task}/schedstat`, 'utf8').split(' ')[0]),
    );
    return nanoseconds.reduce((sum, ns) => sum + ns, 0) / 1e6;
  }

  /** Resident memory in MB (10^6 bytes): now, and the most that it ever was. */
  memory(): { residentMb: number; peakMb: number } {
    const status = readFileSync(`/proc/${this.#child.pid}/status`, 'utf8');
    const field = (name: string) =>
      (Number(new RegExp(`${name}:\\s+(\\d+) kB`).exec(status)?.[1]) * 1024) / 1e6;
    return { residentMb: field('VmRSS'), peakMb: field('VmHWM') };
  }

  async stop(): Promise<void> {
    this.#child.kill('SIGTERM');
    await this.#exited;
  }
}
