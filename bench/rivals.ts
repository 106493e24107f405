/** ipvsadm and keepalived, started on a host of the lab and timed until its table is complete. */
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import type { LabHost } from '../test/lab/host.ts';
import { countTableEntries } from './fresh-host.ts';

/** Milliseconds from the start of `ipvsadm --restore` to its end. @param file as `ipvsadm --save -n` prints it */
export async function restoreWithIpvsadm(host: LabHost, file: string): Promise<number> {
  const input = readFileSync(file, 'utf8');
  const start = performance.now();
  await host.check(['ipvsadm', '--restore'], { input, timeoutMs: 120_000 });
  return performance.now() - start;
}

/**
 * Milliseconds from the start of keepalived until the table has `entries` entries. It runs its checkers only, without
 * health checks and without a log, which costs it ten times as much as all of its other work. It is told to leave the
 * table behind when it ends, which it otherwise takes down first.
 */
export async function startKeepalived(host: LabHost, file: string, entries: number): Promise<number> {
  const pids = ['--pid', `/run/${host.namespace}-p.pid`, '--checkers_pid', `/run/${host.namespace}-c.pid`];
  const flags = ['--dont-fork', '--check', '--no-syslog', '--dont-release-ipvs', '--use-file', file, ...pids];
  const start = performance.now();
  const child = host.spawn(['keepalived', ...flags]);
  child.stdout?.resume();
  child.stderr?.resume();
  const exited = once(child, 'exit');
  try {
    // Seldom enough that looking does not slow down what is looked at: one reading costs 10 ms of the one CPU.
    while (countTableEntries(host) < entries) {
      if (child.exitCode !== null) throw new Error('keepalived ended before its table was complete');
      await sleep(100);
    }
    return performance.now() - start;
  } finally {
    child.kill('SIGTERM');
    await exited;
  }
}
