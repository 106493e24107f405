import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { LabHost, RunResult } from './host.ts';

/** The bundle that is tested, found from the repository root: tests themselves are bundled elsewhere. */
export const productFile = join(process.cwd(), 'dist/lvs-operator.mjs');

/** A director on a lab host: the bundled product with a manifest folder and a state directory of its own. */
export class LabDirector {
  readonly host: LabHost;
  readonly manifests: string;
  readonly stateDirectory: string;
  /** The bundle of the next start. */
  product = productFile;
  readonly #flags: readonly string[];
  #goal: readonly string[];
  #child: ChildProcess | undefined;
  #log = '';

  /** @param manifests text by file name. */
  constructor(host: LabHost, manifests: Readonly<Record<string, string>>, flags: readonly string[] = []) {
    this.host = host;
    this.#flags = flags;
    // In the lab's own memory: inotify sees nothing in $LAB_SCRATCH, whose file system makes inodes anew at every look,
    // and the director would find an edit by its slow poll.
    const folder = mkdtempSync(join(tmpdir(), 'director-'));
    this.manifests = join(folder, 'manifests');
    this.stateDirectory = join(folder, 'state');
    this.#goal = ['--manifests', this.manifests];
    mkdirSync(this.manifests);
    for (const [name, text] of Object.entries(manifests)) this.write(name, text);
  }

  /** A director that serves a cluster as that node, instead of a folder. */
  static ofCluster(
    host: LabHost,
    cluster: { readonly nodeName: string; readonly kubeconfig: string },
    flags: readonly string[] = [],
  ): LabDirector {
    const director = new LabDirector(host, {}, flags);
    director.#goal = ['--node-name', cluster.nodeName, '--kubeconfig', cluster.kubeconfig];
    return director;
  }

  /** Where its goal comes from, as flags of the product. */
  get goalFlags(): readonly string[] {
    return this.#goal;
  }

  /** Everything it logged since the first start. */
  get log(): string {
    return this.#log;
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** Starts the process and returns once its first pass is done. */
  async start(): Promise<void> {
    const from = this.#log.length;
    this.spawn();
    await this.waitForLog(/director serves/, { from });
  }

  /** Starts the process and returns at once. */
  spawn(env: Readonly<Record<string, string>> = {}): ChildProcess {
    const child = this.host.spawn(
      [
        process.execPath,
        this.product,
        'director',
        ...this.#goal,
        '--state-dir',
        this.stateDirectory,
        '--log-format',
        'text',
        ...this.#flags,
      ],
      { env },
    );
    this.#child = child;
    for (const stream of [child.stdout, child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => (this.#log += text));
    }
    return child;
  }

  /** Replaces a manifest as careful editors do: whole, by rename. */
  write(name: string, text: string): void {
    const path = join(this.manifests, name);
    writeFileSync(`${path}.tmp`, text);
    renameSync(`${path}.tmp`, path);
  }

  read(name: string): string {
    return readFileSync(join(this.manifests, name), 'utf8');
  }

  /** Changes a manifest in place; the text to replace must be there. */
  edit(name: string, from: string | RegExp, to: string): void {
    const before = this.read(name);
    const after = before.replace(from, to);
    if (after === before) throw new Error(`nothing in ${name} matches ${String(from)}`);
    this.write(name, after);
  }

  remove(name: string): void {
    rmSync(join(this.manifests, name));
  }

  /** Waits for a line in the log. @throws Error with the log after `timeoutMs` (default 90 s) or when it has ended. */
  async waitForLog(pattern: RegExp, options: { from?: number; timeoutMs?: number } = {}): Promise<void> {
    await this.waitUntil(
      `the log says ${String(pattern)}`,
      () => pattern.test(this.#log.slice(options.from ?? 0)),
      options,
    );
  }

  /** Polls until `condition` holds. @throws Error with the log after `timeoutMs` (default 90 s). */
  async waitUntil(
    what: string,
    condition: () => boolean | Promise<boolean>,
    { timeoutMs = 90_000 }: { timeoutMs?: number } = {},
  ): Promise<void> {
    const untilMs = performance.now() + timeoutMs;
    while (!(await condition())) {
      if (performance.now() > untilMs)
        throw new Error(`after ${timeoutMs} ms still not: ${what}. Log:\n${this.#log.slice(-4000)}`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  /** The kernel table of its host as `ipvsadm -Sn` prints it: one line per entry, sorted. */
  async table(): Promise<string[]> {
    const text = await this.host.check(['ipvsadm', '-Sn']);
    return text
      .split('\n')
      .filter((line) => line !== '')
      .toSorted();
  }

  /** Waits until the table's lines satisfy a predicate. */
  async waitForTable(
    what: string,
    isGood: (lines: readonly string[]) => boolean,
    timeoutMs = 90_000,
  ): Promise<void> {
    await this.waitUntil(what, async () => isGood(await this.table()), { timeoutMs });
  }

  /** Runs another sub-command of the product on the same host. */
  command(argv: readonly string[]): Promise<RunResult> {
    return this.host.run([process.execPath, this.product, ...argv]);
  }

  status(): Promise<RunResult> {
    return this.command(['status', '--state-dir', this.stateDirectory]);
  }

  /** SIGKILL: no clean-up of any kind. */
  async kill(): Promise<void> {
    await this.#end('SIGKILL');
  }

  /** SIGTERM. @returns the exit status. */
  async stop(): Promise<number | null> {
    return this.#end('SIGTERM');
  }

  async #end(signal: NodeJS.Signals): Promise<number | null> {
    const child = this.#child;
    if (child === undefined) return null;
    if (child.exitCode === null && child.signalCode === null) {
      const exited = once(child, 'exit');
      child.kill(signal);
      await exited;
    }
    this.#child = undefined;
    return child.exitCode;
  }
}
