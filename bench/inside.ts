/** The part of the benchmarks that runs inside the lab kernel. `inside.mjs OPTIONS-AS-JSON RESULT-FILE`. */
import { readFileSync, writeFileSync } from 'node:fs';
import { mkdtempSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import type { BenchmarkOptions } from './options.ts';
import { benchmarkProgramming, type PartResult } from './programming.ts';
import type { Report } from './report.ts';

const [optionsText = '{}', resultFile = ''] = process.argv.slice(2);
const options = JSON.parse(optionsText) as BenchmarkOptions;
const scratch = process.env['LAB_SCRATCH'] ?? os.tmpdir();
const folder = mkdtempSync(path.join(os.tmpdir(), 'bench-'));
const progress = (line: string) => process.stdout.write(`${line}\n`);

const run = {
  programming: () => benchmarkProgramming(options, folder, progress),
};
const results: PartResult[] = [];
if (options.parts.includes('programming')) results.push(await run.programming());

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
