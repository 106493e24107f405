import { spawn, spawnSync } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statfsSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';

import { LabUnavailable } from './packages.ts';

/**
 * The lab kernel: Debian's User-Mode Linux, an ordinary process on the host that runs one program inside a real Linux
 * kernel with IPVS, on a read-only view of the host's file system. No root is needed.
 */

const repository = fileURLToPath(new URL('../..', import.meta.url));
const umlKernel = '/usr/bin/linux.uml';
/** Where User-Mode Linux keeps its memory: it accepts nothing but a tmpfs, and looks here first. */
const sharedMemory = '/dev/shm';
const mebibyte = 1024 * 1024;
const minMemoryMiB = 320;

export interface LabProgram {
  /** Program and arguments. The program is looked up in the lab's PATH; Node is `process.execPath`. */
  argv: readonly string[];
  /** Added to the lab's own environment (PATH, HOME, TERM, LANG, LAB=1, LAB_SCRATCH). */
  env?: Readonly<Record<string, string>>;
  /** @default the repository root */
  cwd?: string;
}

export interface LabOptions {
  /** Upper bound of the kernel's memory; the host only gives what is used. @default 1024 */
  memoryMiB?: number;
  /** The kernel is ended after this time. @default no limit */
  timeoutMs?: number;
  /** Ends the kernel. */
  signal?: AbortSignal;
  /** Receives standard output as it comes. @default this process's */
  onStdout?: (chunk: string) => void;
  /** Receives standard error as it comes. @default this process's */
  onStderr?: (chunk: string) => void;
  /** Gives the program this process's terminal: keyboard, job control, Ctrl-C. */
  interactive?: boolean;
  /** Called once when the program has ended, before the scratch folder goes, with its path on the host. */
  onScratch?: (folder: string) => void;
}

/** How a boot ended. Only `exited` says anything about the program; the others are failures of the lab itself. */
export type LabResult =
  | { outcome: 'exited'; code: number }
  | { outcome: 'crashed'; kernelLog: string }
  | { outcome: 'timed out'; kernelLog: string }
  | { outcome: 'aborted' };

/** One line for people about a boot that did not end by the program's own exit. */
export function describeLabResult(result: LabResult): string {
  switch (result.outcome) {
    case 'exited':
      return `exited with status ${result.code}`;
    case 'crashed':
      return `the lab kernel crashed before the program ended${lastLines(result.kernelLog)}`;
    case 'timed out':
      return `the lab was stopped because its time was over${lastLines(result.kernelLog)}`;
    case 'aborted':
      return 'the lab was stopped on request';
  }
}

function lastLines(kernelLog: string): string {
  // After a panic the reason comes first and a call trace hides it.
  const panic = kernelLog.indexOf('Kernel panic');
  const lines = kernelLog.trim().split('\n');
  const told = panic < 0 ? lines.slice(-15) : kernelLog.slice(panic).trim().split('\n').slice(0, 15);
  return kernelLog.trim() === '' ? '' : `; its last words:\n${told.join('\n')}`;
}

/**
 * Boots a lab kernel, runs one program in it and waits for its end. Several may run at once.
 *
 * Inside, everything is writable only in memory, except the folder `$LAB_SCRATCH`, which host and lab share for the
 * time of the boot. All processes that the program leaves behind are ended. Standard input is empty unless
 * `interactive`.
 *
 * @throws LabUnavailable when this machine cannot boot the lab: no kernel, no room in /dev/shm
 */
export async function bootLab(program: LabProgram, options: LabOptions = {}): Promise<LabResult> {
  const memoryMiB = affordableMemoryMiB(options.memoryMiB ?? 1024);
  const labDir = mkdtempSync(join(tmpdir(), 'lvs-lab-'));
  try {
    prepareLabDir(labDir, program, options.interactive === true);
    return await runKernel(labDir, memoryMiB, options);
  } finally {
    rmSync(labDir, { recursive: true, force: true, maxRetries: 5 });
  }
}

function affordableMemoryMiB(wanted: number): number {
  if (!existsSync(umlKernel)) {
    throw new LabUnavailable(
      `The lab kernel ${umlKernel} is missing. As root, run: apt-get install user-mode-linux`,
    );
  }
  const { bavail, bsize } = statfsSync(sharedMemory);
  const freeMiB = Math.floor((bavail * bsize) / mebibyte) - 16;
  if (freeMiB < minMemoryMiB) {
    throw new LabUnavailable(
      `The lab keeps its memory in ${sharedMemory}, which has ${freeMiB} MiB free and needs ${minMemoryMiB}. ` +
        `As root, run: mount -o remount,size=2G ${sharedMemory} (in a container: --shm-size=2g)`,
    );
  }
  return Math.min(wanted, freeMiB);
}

function prepareLabDir(labDir: string, program: LabProgram, interactive: boolean): void {
  if (/\s/.test(labDir)) {
    throw new LabUnavailable(
      `The temporary folder ${labDir} has a space in its name; set TMPDIR to another one.`,
    );
  }
  const cwd = program.cwd ?? repository;
  const scratch = join(labDir, 'scratch');
  mkdirSync(scratch);
  chmodSync(labDir, 0o755);
  copyFileSync(fileURLToPath(new URL('init.sh', import.meta.url)), join(labDir, 'init'));
  chmodSync(join(labDir, 'init'), 0o755);
  const nodeFolder = dirname(process.execPath);
  const environment: Record<string, string> = {
    PATH: `/run/bin:${nodeFolder}:/usr/sbin:/usr/bin:/sbin:/bin`,
    HOME: '/run/home',
    LANG: 'C.UTF-8',
    TERM: interactive ? (process.env['TERM'] ?? 'linux') : 'dumb',
    LAB: '1',
    LAB_SCRATCH: scratch,
    ...program.env,
  };
  const { columns, rows } = process.stdout;
  const lines = [
    ...(interactive && columns && rows ? [`stty cols ${columns} rows ${rows}`] : []),
    `cd ${quote(cwd)} || exit 126`,
    `exec env -i ${Object.entries(environment)
      .map(([name, value]) => quote(`${name}=${value}`))
      .join(' ')} ${program.argv.map(quote).join(' ')}`,
  ];
  writeFileSync(join(labDir, 'command'), `${lines.join('\n')}\n`);
  writeFileSync(join(labDir, 'visible'), `${[...new Set([repository, cwd, nodeFolder])].join('\n')}\n`);
  if (interactive) writeFileSync(join(labDir, 'interactive'), '');
}

function quote(word: string): string {
  return `'${word.replaceAll("'", `'\\''`)}'`;
}

async function runKernel(labDir: string, memoryMiB: number, options: LabOptions): Promise<LabResult> {
  const interactive = options.interactive === true;
  const terminal = interactive ? saveTerminal() : undefined;
  // A process group of its own, because User-Mode Linux is several processes that must end together; and SIGTERM,
  // which it obeys cleanly, should this process die without a word.
  const kernel = spawn(
    'setpriv',
    [
      '--pdeathsig',
      'TERM',
      umlKernel,
      `mem=${memoryMiB}M`,
      'rootfstype=hostfs',
      'rootflags=/',
      'ro',
      `init=${join(labDir, 'init')}`,
      `uml_dir=${labDir}`,
      'quiet',
      'con=null',
      ...(interactive ? ['con0=fd:0,fd:1'] : ['con0=null,fd:1', 'con1=null,fd:3', 'con2=null,fd:4']),
      `LAB_DIR=${labDir}`,
    ],
    {
      detached: true,
      stdio: interactive ? ['inherit', 'inherit', 'pipe'] : ['ignore', 'pipe', 'pipe', 'pipe', 'pipe'],
      env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', TMPDIR: sharedMemory, HOME: labDir },
    },
  );
  let kernelLog = '';
  const keepLog = (chunk: string): void => {
    kernelLog = (kernelLog + chunk).slice(-16_384);
  };
  follow(kernel.stdout, keepLog);
  follow(kernel.stderr, keepLog);
  follow(
    kernel.stdio[3] as Readable | undefined,
    options.onStdout ?? ((chunk) => process.stdout.write(chunk)),
  );
  follow(
    kernel.stdio[4] as Readable | undefined,
    options.onStderr ?? ((chunk) => process.stderr.write(chunk)),
  );

  let ended: 'timed out' | 'aborted' | undefined;
  const stop = (why: 'timed out' | 'aborted'): void => {
    ended ??= why;
    endGroup(kernel, 'SIGTERM');
    setTimeout(() => endGroup(kernel, 'SIGKILL'), 2000).unref();
  };
  const release = guardKernel(kernel, () => stop('aborted'));
  const onAbort = (): void => stop('aborted');
  options.signal?.addEventListener('abort', onAbort, { once: true });
  if (options.signal?.aborted === true) onAbort();
  const timer =
    options.timeoutMs === undefined ? undefined : setTimeout(() => stop('timed out'), options.timeoutMs);
  try {
    await new Promise<void>((resolve, reject) => {
      kernel.once('error', reject);
      kernel.once(interactive ? 'exit' : 'close', () => resolve());
    });
  } finally {
    clearTimeout(timer);
    options.signal?.removeEventListener('abort', onAbort);
    release();
    endGroup(kernel, 'SIGKILL');
    terminal?.();
  }
  options.onScratch?.(join(labDir, 'scratch'));
  const rcFile = join(labDir, 'rc');
  const rc = existsSync(rcFile) ? Number.parseInt(readFileSync(rcFile, 'utf8'), 10) : Number.NaN;
  if (Number.isInteger(rc)) return { outcome: 'exited', code: rc };
  if (ended === 'aborted') return { outcome: 'aborted' };
  return { outcome: ended ?? 'crashed', kernelLog };
}

function follow(stream: Readable | null | undefined, onChunk: (chunk: string) => void): void {
  stream?.setEncoding('utf8').on('data', onChunk);
}

function endGroup(kernel: ChildProcess, signal: NodeJS.Signals): void {
  if (kernel.pid === undefined) return;
  try {
    process.kill(-kernel.pid, signal);
  } catch {
    // The whole group is gone already.
  }
}

/** Ends the kernel together with this process, whichever way this process ends. Returns the way back. */
function guardKernel(kernel: ChildProcess, stop: () => void): () => void {
  // SIGKILL lets nobody say good-bye, and a kernel whose parent is gone may leave some of its processes behind. This
  // shell notices by the end of its input.
  const guardian = spawn(
    'sh',
    ['-c', 'read -r _; kill -s KILL -- "-$1" 2>/dev/null', 'sh', `${kernel.pid}`],
    {
      detached: true,
      stdio: ['pipe', 'ignore', 'ignore'],
    },
  );
  guardian.on('error', () => {});
  const onExit = (): void => endGroup(kernel, 'SIGKILL');
  const signals: NodeJS.Signals[] = ['SIGINT', 'SIGTERM', 'SIGHUP'];
  process.once('exit', onExit);
  for (const signal of signals) process.on(signal, stop);
  return () => {
    guardian.stdin.end();
    process.off('exit', onExit);
    for (const signal of signals) process.off(signal, stop);
  };
}

/** User-Mode Linux puts the terminal into raw mode and leaves it so when it is killed. */
function saveTerminal(): () => void {
  const stty = (...words: string[]): string =>
    spawnSync('stty', words, { stdio: ['inherit', 'pipe', 'ignore'], encoding: 'utf8' }).stdout.trim();
  const settings = stty('-g');
  return () => {
    if (settings !== '') stty(settings);
  };
}
