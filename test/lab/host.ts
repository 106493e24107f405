import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { readdirSync, readlinkSync, statSync } from 'node:fs';

export interface RunOptions {
  /** Added to this process's environment. */
  env?: Readonly<Record<string, string>>;
  cwd?: string;
  /** Text for standard input. @default none */
  input?: string;
  /** The program is killed after this time and `code` is null. @default 120000 */
  timeoutMs?: number;
}

export interface RunResult {
  /** Exit status; null when a signal ended the program. */
  code: number | null;
  stdout: string;
  stderr: string;
}

/** A network namespace that plays a host: programs run in it, and end with it. */
export class LabHost {
  /** Role in the network: `client`, `director`, `server1`. */
  readonly name: string;
  /** Name of the namespace, for `ip netns exec`. */
  readonly namespace: string;

  constructor(name: string, namespace: string) {
    this.name = name;
    this.namespace = namespace;
  }

  /** Path of the namespace, for setns(2) and tools that take a file. */
  get netnsPath(): string {
    return `/run/netns/${this.namespace}`;
  }

  /** Starts a program here. Its pid is the program's own; `LabNetwork.remove` ends what is left. */
  spawn(
    argv: readonly string[],
    options: { env?: Readonly<Record<string, string>>; cwd?: string } = {},
  ): ChildProcess {
    // nsenter and not `ip netns exec`: no second mount namespace with a fresh /sys, hence half the time to start.
    return spawn('nsenter', [`--net=${this.netnsPath}`, '--', ...argv], {
      env: { ...process.env, ...options.env },
      cwd: options.cwd,
      stdio: ['pipe', 'pipe', 'pipe'],
    });
  }

  /** Runs a program to its end and returns its status and output; a failing program is not an error here. */
  run(argv: readonly string[], options: RunOptions = {}): Promise<RunResult> {
    const child = this.spawn(argv, options);
    return collect(child, options);
  }

  /** Runs a program that must succeed; returns its standard output, throws with its standard error. */
  async check(argv: readonly string[], options: RunOptions = {}): Promise<string> {
    const result = await this.run(argv, options);
    if (result.code !== 0) {
      throw new Error(
        `${argv.join(' ')} on ${this.name} exited with ${result.code}: ${result.stderr}${result.stdout}`,
      );
    }
    return result.stdout;
  }

  /** Runs `ip` once for many lines of its batch language (`addr add … dev eth0`); throws on the first bad line. Rules name no
   * family of their own: those of IPv6 need `-6`. */
  async ip(lines: readonly string[], ...family: ('-4' | '-6')[]): Promise<void> {
    await this.check(['ip', ...family, '-batch', '-'], { input: `${lines.join('\n')}\n` });
  }

  /** Writes sysctls by path below /proc/sys (`net/ipv4/ip_forward`). */
  async sysctl(values: Readonly<Record<string, string | number>>): Promise<void> {
    const script = Object.entries(values)
      .map(([path, value]) => `echo ${value} >/proc/sys/${path}`)
      .join(' && ');
    await this.check(['sh', '-c', script]);
  }

  /** SIGKILL to every process that lives in this namespace. */
  killAll(): void {
    const { ino } = statSync(this.netnsPath);
    for (const pid of readdirSync('/proc')) {
      if (!/^\d+$/.test(pid)) continue;
      try {
        if (readlinkSync(`/proc/${pid}/ns/net`) === `net:[${ino}]`) process.kill(Number(pid), 'SIGKILL');
      } catch {
        // Ended between the listing and now.
      }
    }
  }
}

/** Runs a program outside any host's namespace, in the lab's initial one. */
export function runInLab(argv: readonly string[], options: RunOptions = {}): Promise<RunResult> {
  const [program = 'true', ...rest] = argv;
  const child = spawn(program, rest, {
    env: { ...process.env, ...options.env },
    cwd: options.cwd,
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  return collect(child, options);
}

function collect(child: ChildProcess, options: RunOptions): Promise<RunResult> {
  let stdout = '';
  let stderr = '';
  child.stdout?.setEncoding('utf8').on('data', (chunk: string) => (stdout += chunk));
  child.stderr?.setEncoding('utf8').on('data', (chunk: string) => (stderr += chunk));
  // A program may end without reading its input.
  child.stdin?.on('error', () => {});
  child.stdin?.end(options.input ?? '');
  const timer = setTimeout(() => child.kill('SIGKILL'), options.timeoutMs ?? 120_000);
  return new Promise((resolve, reject) => {
    child.once('error', (error) => {
      clearTimeout(timer);
      reject(error);
    });
    child.once('close', (code) => {
      clearTimeout(timer);
      resolve({ code, stdout, stderr });
    });
  });
}
