/** The whole product at size: how soon it is ready, what it costs when nothing happens, how fast an edit arrives. */
import { mkdirSync, mkdtempSync, renameSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { formatRealServerKey, IpvsClient } from '../src/ipvs/index.ts';
import { loadLibc } from '../src/netlink/index.ts';
import type { LabHost } from '../test/lab/host.ts';
import { asKeepalived, asManifests, createContent, serviceManifest, serviceKey } from './content.ts';
import type { ContentService } from './content.ts';
import { ProductProcess } from './product-process.ts';
import { countTableEntries, onFreshHost } from './fresh-host.ts';
import type { BenchmarkOptions } from './options.ts';
import type { PartResult } from './report.ts';
import { startKeepalived } from './rivals.ts';

interface Bench {
  readonly options: BenchmarkOptions;
  readonly content: readonly ContentService[];
  readonly entries: number;
  /** Its sub-folders hold manifests, state and configurations. */
  readonly folder: string;
  readonly progress: (line: string) => void;
}

export async function benchmarkDirector(
  options: BenchmarkOptions,
  folder: string,
  progress: (line: string) => void,
): Promise<PartResult> {
  const content = createContent(options);
  const bench: Bench = {
    options,
    content,
    entries: content.length * (options.realServers + 1),
    folder,
    progress,
  };
  writeManifests(bench);
  const starts = await measureStarts(bench);
  const quiet = await measureQuietPasses(bench, 'drift');
  const full = await measureQuietPasses(bench, 'full');
  const edits = await onRunningDirector(bench, undefined, (host) => measureEdits(bench, host));

  const table = `${options.services} × ${options.realServers}`;
  return {
    measurements: [
      {
        id: 'director-start',
        title: `director: process start to ${table} programmed`,
        unit: 'ms',
        samples: starts.director,
      },
      {
        id: 'keepalived-start',
        title: `keepalived: process start to ${table} programmed`,
        unit: 'ms',
        samples: starts.keepalived,
      },
      {
        id: 'drift-pass',
        title: 'director: CPU of a pass with nothing to do',
        unit: 'ms',
        samples: quiet.cpuMs,
        aim: { statistic: 'median', atMost: 20 },
      },
      {
        id: 'full-pass',
        title: 'director: CPU of a pass that reads everything back',
        unit: 'ms',
        samples: full.cpuMs,
      },
      {
        id: 'edit',
        title: 'director: one weight from file to kernel',
        unit: 'ms',
        samples: edits,
        aim: { statistic: 'p99', atMost: 50 },
      },
      {
        id: 'resident',
        title: 'director: resident memory',
        unit: 'MB',
        samples: quiet.residentMb,
        aim: { statistic: 'max', atMost: 110 },
      },
      { id: 'peak', title: 'director: most memory it ever had', unit: 'MB', samples: [quiet.peakMb] },
    ],
    comparisons: [
      { title: "keepalived's start / director's start", of: 'keepalived-start', to: 'director-start' },
    ],
  };
}

function writeManifests({ content, folder }: Bench): void {
  const manifests = path.join(folder, 'manifests');
  mkdirSync(manifests);
  for (const file of asManifests(content)) writeFileSync(path.join(manifests, file.name), file.text);
}

async function measureStarts(bench: Bench): Promise<{ director: number[]; keepalived: number[] }> {
  const file = path.join(bench.folder, 'keepalived.conf');
  writeFileSync(file, asKeepalived(bench.content));
  const director: number[] = [];
  const keepalived: number[] = [];
  for (let round = 0; round < bench.options.rounds; round++) {
    director.push(
      await onRunningDirector(bench, undefined, (_host, _director, startMs) => Promise.resolve(startMs)),
    );
    keepalived.push(await onFreshHost((host) => startKeepalived(host, file, bench.entries)));
    bench.progress(
      `start ${round + 1}/${bench.options.rounds}: director ${director.at(-1)?.toFixed(0)} ms, ` +
        `keepalived ${keepalived.at(-1)?.toFixed(0)} ms`,
    );
  }
  return { director, keepalived };
}

/** CPU per second while nothing happens: one pass a second, of the cheap kind or of the complete one. */
async function measureQuietPasses(
  bench: Bench,
  kind: 'drift' | 'full',
): Promise<{ cpuMs: number[]; residentMb: number[]; peakMb: number }> {
  const configuration = path.join(bench.folder, `${kind}.yaml`);
  writeFileSync(
    configuration,
    `apiVersion: networking.lvs-operator.io/v1alpha1
kind: DirectorConfiguration
driftCheckSeconds: 1
fullCheckSeconds: ${kind === 'drift' ? 3600 : 1}
`,
  );
  return onRunningDirector(bench, configuration, async (_host, director) => {
    await sleep(3000);
    const cpuMs: number[] = [];
    const residentMb: number[] = [];
    let before = director.cpuMs();
    for (let second = 0; second < bench.options.idleSeconds; second++) {
      await sleep(1000);
      const now = director.cpuMs();
      cpuMs.push(now - before);
      residentMb.push(director.memory().residentMb);
      before = now;
    }
    director.checkAlive();
    bench.progress(`${kind} passes: ${cpuMs.map((ms) => ms.toFixed(1)).join(' ')} ms of CPU each second`);
    return { cpuMs, residentMb, peakMb: director.memory().peakMb };
  });
}

/** Milliseconds from the rename of an edited file into place until the kernel has its weight, for each edit. */
async function measureEdits({ options, content, folder, progress }: Bench, host: LabHost): Promise<number[]> {
  const client = IpvsClient.open({ libc: loadLibc(), netns: host.netnsPath });
  const samples: number[] = [];
  // The first pass is over when the table is complete, but not what follows it; the first edits also warm the code up.
  await sleep(3000);
  const warmUp = 5;
  for (let edit = 0; edit < warmUp + options.edits; edit++) {
    const index = (edit * 37) % content.length;
    const service = content[index];
    const rip = service?.rips.at(-1);
    if (service === undefined || rip === undefined) throw new Error('there is nothing to edit');
    const weight = 1 + (edit % 90);
    const file = serviceManifest(service, index, weight);
    const target = path.join(folder, 'manifests', file.name);
    writeFileSync(`${folder}/edited`, file.text);
    // Out of step with the passes of every second.
    await sleep(150 + ((edit * 61) % 200));
    const start = performance.now();
    renameSync(`${folder}/edited`, target);
    for (;;) {
      const servers = client.observeRealServers(serviceKey(service.vip));
      if (servers.get(formatRealServerKey({ rip, port: 80 }))?.config.weight === weight) break;
      if (performance.now() - start > 15_000) throw new Error(`edit ${edit} of ${file.name} never arrived`);
      await sleep(1);
    }
    if (edit >= warmUp) samples.push(performance.now() - start);
  }
  client.close();
  progress(`edits: ${samples.map((ms) => ms.toFixed(0)).join(' ')} ms`);
  return samples;
}

/** Starts a director on a fresh host, waits until its table is complete, and ends it after `body`. */
async function onRunningDirector<T>(
  bench: Bench,
  configuration: string | undefined,
  body: (host: LabHost, director: ProductProcess, startMs: number) => Promise<T>,
): Promise<T> {
  return onFreshHost(async (host) => {
    const start = performance.now();
    const director = ProductProcess.start(host, {
      product: bench.options.product,
      manifests: path.join(bench.folder, 'manifests'),
      stateDirectory: mkdtempSync(path.join(bench.folder, 'state-')),
      ...(configuration === undefined ? {} : { configuration }),
    });
    try {
      while (countTableEntries(host) < bench.entries) {
        director.checkAlive();
        if (performance.now() - start > 120_000)
          throw new Error(`no complete table in 120 s:\n${director.log}`);
        await sleep(100);
      }
      return await body(host, director, performance.now() - start);
    } finally {
      await director.stop();
    }
  });
}
