/** The table alone: our client against ipvsadm and keepalived, and against the floor that the kernel sets. */
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { performance } from 'node:perf_hooks';
import { IpvsClient, type IpvsOperation } from '../src/ipvs/index.ts';
import {
  defaultBatchSize,
  inNetns,
  loadLibc,
  NETLINK_GENERIC,
  NetlinkConnection,
  NLMSG_NOOP,
} from '../src/netlink/index.ts';
import type { LabHost } from '../test/lab/host.ts';
import { asIpvsadm, asKeepalived, asOperations, createContent } from './content.ts';
import { countTableEntries, onFreshHost } from './fresh-host.ts';
import type { BenchmarkOptions } from './options.ts';
import { recordDatagrams, replayDatagrams } from './raw-replay.ts';
import type { Measurement, PartResult } from './report.ts';
import { restoreWithIpvsadm, startKeepalived } from './rivals.ts';

type Contender = 'apply' | 'replay' | 'noop' | 'ipvsadm' | 'keepalived';

/** Every round lets each contender program the same table once, each on a host of its own. */
export async function benchmarkProgramming(
  options: BenchmarkOptions,
  folder: string,
  progress: (line: string) => void,
): Promise<PartResult> {
  const content = createContent(options);
  const operations = asOperations(content);
  const ipvsadmFile = path.join(folder, 'ipvsadm.rules');
  const keepalivedFile = path.join(folder, 'keepalived.conf');
  writeFileSync(ipvsadmFile, asIpvsadm(content));
  writeFileSync(keepalivedFile, asKeepalived(content));

  const datagrams = await onFreshHost((host) => recordProgramming(host, operations));
  const contenders: Record<Contender, () => Promise<number>> = {
    apply: () => onFreshHost((host) => timeApply(host, operations)),
    replay: () => onFreshHost((host) => timeReplay(host, datagrams, operations.length)),
    noop: () => Promise.resolve(timeNoOperations(operations.length)),
    ipvsadm: () => onFreshHost((host) => restoreWithIpvsadm(host, ipvsadmFile)),
    keepalived: () => onFreshHost((host) => startKeepalived(host, keepalivedFile, operations.length)),
  };
  const samples: Record<Contender, number[]> = {
    apply: [],
    replay: [],
    noop: [],
    ipvsadm: [],
    keepalived: [],
  };
  // One round before those that count: modules load, code gets hot, as it is in a director that runs for weeks.
  for (let round = 0; round <= options.rounds; round++) {
    const line: string[] = [];
    for (const [name, run] of Object.entries(contenders) as [Contender, () => Promise<number>][]) {
      const ms = await run();
      line.push(`${name} ${ms.toFixed(ms < 10 ? 1 : 0)} ms`);
      if (round > 0) samples[name].push(ms);
    }
    progress(`programming ${round}/${options.rounds}: ${line.join(', ')}`);
  }

  const table = `${options.services} × ${options.realServers}`;
  return {
    measurements: [
      { id: 'apply', title: `${table} programmed by our client`, unit: 'ms', samples: samples.apply },
      {
        id: 'replay',
        title: `${table}, the same bytes sent ready-made`,
        unit: 'ms',
        samples: samples.replay,
      },
      { id: 'ipvsadm', title: `${table} by ipvsadm --restore`, unit: 'ms', samples: samples.ipvsadm },
      { id: 'keepalived', title: `${table} by keepalived's start`, unit: 'ms', samples: samples.keepalived },
      perOperation('apply-operation', 'one operation of our client', samples.apply, operations.length),
      perOperation('replay-operation', 'one operation, bytes ready-made', samples.replay, operations.length),
      perOperation(
        'noop-operation',
        `one no-op message, ${defaultBatchSize} to a batch`,
        samples.noop,
        operations.length,
      ),
    ],
    comparisons: [
      {
        title: 'ipvsadm --restore / our client',
        of: 'ipvsadm',
        to: 'apply',
        aim: { statistic: 'median', atLeast: 20 },
      },
      {
        title: 'keepalived / our client',
        of: 'keepalived',
        to: 'apply',
        aim: { statistic: 'median', atLeast: 5 },
      },
      {
        title: 'our client / the same bytes ready-made',
        of: 'apply',
        to: 'replay',
        aim: { statistic: 'median', atMost: 1.5 },
      },
      { title: 'our client / no-op messages', of: 'apply-operation', to: 'noop-operation' },
    ],
  };
}

function perOperation(id: string, title: string, totalsMs: readonly number[], count: number): Measurement {
  return { id, title, unit: 'µs', samples: totalsMs.map((ms) => (ms * 1000) / count) };
}

function recordProgramming(host: LabHost, operations: readonly IpvsOperation[]): Uint8Array[] {
  return recordDatagrams(loadLibc(), (libc) => {
    const client = IpvsClient.open({ libc, netns: host.netnsPath });
    client.apply(operations);
    client.close();
  });
}

function timeApply(host: LabHost, operations: readonly IpvsOperation[]): number {
  const client = IpvsClient.open({ libc: loadLibc(), netns: host.netnsPath });
  const start = performance.now();
  const outcomes = client.apply(operations);
  const ms = performance.now() - start;
  client.close();
  const failure = outcomes.find((outcome) => outcome !== 'done');
  if (failure !== undefined) throw failure;
  expectEntries(host, operations.length);
  return ms;
}

function timeReplay(host: LabHost, datagrams: readonly Uint8Array[], entries: number): number {
  const ms = inNetns(loadLibc(), host.netnsPath, () => {
    const start = performance.now();
    replayDatagrams(loadLibc(), datagrams);
    return performance.now() - start;
  });
  expectEntries(host, entries);
  return ms;
}

function timeNoOperations(count: number): number {
  const connection = NetlinkConnection.open({ libc: loadLibc(), protocol: NETLINK_GENERIC });
  const request = { operation: 'NLMSG_NOOP', type: NLMSG_NOOP, encode: () => undefined };
  const requests = Array.from({ length: count }, () => request);
  const start = performance.now();
  connection.batch(requests);
  const ms = performance.now() - start;
  connection.close();
  return ms;
}

function expectEntries(host: LabHost, expected: number): void {
  const found = countTableEntries(host);
  if (found !== expected) throw new Error(`the table has ${found} entries instead of ${expected}`);
}
