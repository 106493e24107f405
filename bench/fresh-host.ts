import { setTimeout as sleep } from 'node:timers/promises';
import { existsSync, readFileSync } from 'node:fs';
import { inNetns, loadLibc } from '../src/netlink/index.ts';
import { LabHost, runInLab } from '../test/lab/host.ts';

let hostsSoFar = 0;

/**
 * Runs `body` on a host that has nothing but a loopback interface, and removes it. Every contender gets a new one: the
 * kernel keeps deleted real servers in a list for two minutes and walks it for each one that is added, so that the
 * second to program a table in one namespace would pay for the first.
 */
export async function onFreshHost<T>(body: (host: LabHost) => T | Promise<T>): Promise<T> {
  hostsSoFar += 1;
  const host = new LabHost('bench', `bench-${hostsSoFar}`);
  const added = await runInLab(['ip', 'netns', 'add', host.namespace]);
  if (added.code !== 0) throw new Error(`ip netns add failed: ${added.stderr}`);
  try {
    await host.ip(['link set lo up']);
    // What removed the last host works on in the background, on the one CPU of the lab.
    await sleep(1000);
    return await body(host);
  } finally {
    await runInLab(['ip', 'netns', 'del', host.namespace]);
  }
}

/** Services and real servers in the kernel table of a host: /proc/net/ip_vs has three lines of heading. */
export function countTableEntries(host: LabHost): number {
  const table = '/proc/thread-self/net/ip_vs';
  const bytes = inNetns(loadLibc(), host.netnsPath, () =>
    existsSync(table) ? readFileSync(table) : undefined,
  );
  // The module is loaded by the first contender.
  if (bytes === undefined) return 0;
  let entries = -3;
  for (let at = bytes.indexOf(10); at >= 0; at = bytes.indexOf(10, at + 1)) entries++;
  return entries;
}
