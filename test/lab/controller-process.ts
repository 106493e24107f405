import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { productFile } from './director-process.ts';
import type { LabHost } from './host.ts';

/** Seconds, so that a test need not wait long for the other replica. */
const lease = { duration: '4', 'renew-deadline': '3', 'retry-period': '0.5' };

/** The controller of the bundled product, beside the API server of a test. */
export class LabController {
  /** The bundle of the next start. */
  product = productFile;
  readonly #argv: readonly string[];
  readonly #host: LabHost | undefined;
  #child: ChildProcess | undefined;
  #log = '';

  /**
   * @param namespace where its Lease is
   * @param host where it runs; undefined: beside the API server, where it reaches no director
   */
  constructor(kubeconfig: string, identity: string, namespace: string, host?: LabHost) {
    this.#host = host;
    this.#argv = [
      'controller',
      '--kubeconfig',
      kubeconfig,
      '--namespace',
      namespace,
      '--identity',
      identity,
      ...Object.entries(lease).flatMap(([name, seconds]) => [`--lease-${name}`, seconds]),
      '--log-format',
      'text',
    ];
  }

  /** Everything that it logged since its last start. */
  get log(): string {
    return this.#log;
  }

  /** Starts the process and returns at once. */
  start(): void {
    const argv = [this.product, ...this.#argv];
    const child =
      this.#host?.spawn([process.execPath, ...argv]) ??
      spawn(process.execPath, argv, { stdio: ['ignore', 'pipe', 'pipe'] });
    this.#child = child;
    this.#log = '';
    for (const stream of [child.stdout, child.stderr])
      stream?.setEncoding('utf8').on('data', (text: string) => (this.#log += text));
  }

  /** SIGKILL: the lease runs out by itself. */
  kill(): Promise<void> {
    return this.#end('SIGKILL');
  }

  /** SIGTERM: the lease is given back. */
  stop(): Promise<void> {
    return this.#end('SIGTERM');
  }

  freeze(): void {
    this.#child?.kill('SIGSTOP');
  }

  thaw(): void {
    this.#child?.kill('SIGCONT');
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    child.kill(signal);
    await once(child, 'exit');
  }
}
