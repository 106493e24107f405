import type { ChildProcess } from 'node:child_process';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { constants, openSync, writeFileSync } from 'node:fs';
import { Socket } from 'node:net';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { sharedNowMs } from '../../src/health/index.ts';
import { targetOf } from '../../test/lab/farm/job.ts';
import type { LabHost } from '../../test/lab/host.ts';
import { countTableEntries } from '../fresh-host.ts';
import type { Pace } from './pace.ts';

const perService = 10;

/**
 * The same checks as ours: its retries come at the pace of its checks, so that as many probes in a row have to fail. It has
 * no such number for successes: one suffices.
 */
export function asCheckedKeepalived(pace: Pace, fifo: string): string {
  const services = Array.from({ length: Math.ceil(pace.targets / perService) }, (_, service) => {
    const first = service * perService;
    const servers = Array.from({ length: Math.min(perService, pace.targets - first) }, (__, i) =>
      realServer(targetOf('198.19', first + i), pace),
    );
    return `virtual_server 198.18.${64 + (service >> 8)}.${service & 255} 80 {
  delay_loop ${pace.intervalSeconds}
  lb_algo rr
  lb_kind NAT
  protocol TCP
${servers.join('')}}
`;
  });
  return `global_defs {\n  router_id bench\n  lvs_notify_fifo ${fifo}\n}\n${services.join('')}`;
}

function realServer(rip: string, pace: Pace): string {
  const check =
    pace.question === 'tcp'
      ? 'TCP_CHECK {'
      : `HTTP_GET {
      url {
        path /
        status_code 200
      }`;
  return `  real_server ${rip} ${pace.port} {
    ${check}
      connect_timeout ${pace.timeoutSeconds}
      retry ${pace.failureThreshold - 1}
      delay_before_retry ${pace.intervalSeconds}
    }
  }
`;
}

/** keepalived with its checks, and what it says of them. */
export class RunningKeepalived {
  /** Servers that it took out of service or put back, by address. */
  readonly turns: { readonly rip: string; readonly isUp: boolean; readonly atMs: number }[] = [];
  readonly #child: ChildProcess;
  readonly #exited: Promise<unknown>;
  readonly #reader: Socket;

  private constructor(child: ChildProcess, reader: Socket) {
    this.#child = child;
    this.#exited = once(child, 'exit');
    this.#reader = reader;
    child.stdout?.resume();
    child.stderr?.resume();
    createInterface({ input: reader }).on('line', (text) => {
      const [, rip, word] = /^RS \[([0-9.]+)\]\S* \S+ (UP|DOWN)$/.exec(text) ?? [];
      if (rip !== undefined) this.turns.push({ rip, isUp: word === 'UP', atMs: sharedNowMs() });
    });
  }

  /** Returns when its table is complete. */
  static async start(host: LabHost, pace: Pace, folder: string): Promise<RunningKeepalived> {
    const file = path.join(folder, `${host.namespace}.conf`);
    const fifo = path.join(folder, `${host.namespace}.fifo`);
    execFileSync('mkfifo', [fifo]);
    writeFileSync(file, asCheckedKeepalived(pace, fifo));
    // Opened for both, a FIFO neither waits for the other side nor ends with it.
    const fd = openSync(fifo, constants.O_RDWR | constants.O_NONBLOCK);
    const reader = new Socket({ fd, writable: false });
    const pids = ['--pid', `/run/${host.namespace}-p.pid`, '--checkers_pid', `/run/${host.namespace}-c.pid`];
    const flags = ['--dont-fork', '--check', '--no-syslog', '--dont-release-ipvs', '--use-file', file];
    const running = new RunningKeepalived(host.spawn(['keepalived', ...flags, ...pids]), reader);
    const entries = pace.targets + Math.ceil(pace.targets / perService);
    while (countTableEntries(host) < entries) {
      if (running.#child.exitCode !== null) throw new Error('keepalived ended before its table was complete');
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
    return running;
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  async stop(): Promise<void> {
    this.#child.kill('SIGTERM');
    await this.#exited;
    this.#reader.destroy();
  }
}
