/** The part of the benchmarks that runs inside the lab kernel. `inside.mjs OPTIONS-AS-JSON RESULT-FILE`. */
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { benchmarkCluster } from './cluster.ts';
import { benchmarkDirector } from './director.ts';
import { benchmarkHealth } from './health/benchmark.ts';
import type { BenchmarkOptions, Part } from './options.ts';
import { benchmarkProgramming } from './programming.ts';
import type { PartResult, Report } from './report.ts';
import { benchmarkTraffic } from './traffic.ts';

const [optionsText = '{}', resultFile = ''] = process.argv.slice(2);
const options = JSON.parse(optionsText) as BenchmarkOptions;
const scratch = process.env['LAB_SCRATCH'] ?? os.tmpdir();
const folder = mkdtempSync(path.join(os.tmpdir(), 'bench-'));
const progress = (line: string) => process.stdout.write(`${line}\n`);

const benchmarks = {
  programming: benchmarkProgramming,
  director: benchmarkDirector,
  traffic: benchmarkTraffic,
  cluster: benchmarkCluster,
  health: benchmarkHealth,
} satisfies Record<Part, typeof benchmarkProgramming>;
const results: PartResult[] = [];
for (const part of options.parts) results.push(await benchmarks[part](options, folder, progress));

const report: Report = {
  environment: {
    kernel: `${os.release()} (User-Mode Linux, ${os.cpus().length} CPU)`,
    node: process.version,
    cpu: /model name\s*:\s*(.*)/.exec(readFileSync('/proc/cpuinfo', 'utf8'))?.[1] ?? os.arch(),
  },
  measurements: results.flatMap((result) => result.measurements),
  comparisons: results.flatMap((result) => result.comparisons),
};
writeFileSync(path.join(scratch, resultFile), JSON.stringify(report));
