/**
 * `npm run bench`: speed and memory in one boot of the lab, side by side with ipvsadm and keepalived, as a table or,
 * with `-- --json`, for programs. `-- --quick` is a smoke size. `-- cluster` (or
 * `programming`, `director`, `traffic`, `health`) runs one part; `-- health --aspect cpu` a part of that. `-- weights` is
 * another benchmark: weights that follow the load, on simulated servers, without the lab; `-- weights --plot FILE` draws it.
 * `-- scrape` is one more without the lab: what a reading of /metrics costs.
 */
import { readFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { bootLab, describeLabResult } from '../test/lab/kernel.ts';
import { ensureLabPackages, LabUnavailable } from '../test/lab/packages.ts';
import { buildProduct } from '../tools/build.ts';
import { healthAspects, type HealthAspect } from './health/aspects.ts';
import { measureNativeCpu } from './health/cpu.ts';
import { benchmarkScrape } from './scrape.ts';
import { benchmarkWeights } from './weights/benchmark.ts';
import type { BenchmarkOptions } from './options.ts';
import { parts } from './options.ts';
import { formatReport, formatReportAsJson, type PartResult, type Report } from './report.ts';

const resultFile = 'bench-report.json';

async function main(argv: readonly string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args: [...argv],
    options: {
      quick: { type: 'boolean' },
      json: { type: 'boolean' },
      part: { type: 'string', multiple: true },
      aspect: { type: 'string', multiple: true },
      plot: { type: 'string' },
    },
    allowPositionals: true,
  });
  const asked = [...(values.part ?? []), ...positionals];
  if (asked.includes('weights')) {
    if (asked.length > 1) throw new Error('"weights" is a benchmark of its own: name no part beside it.');
    const report = benchmarkWeights({
      isQuick: values.quick === true,
      isJson: values.json === true,
      plotFile: values.plot,
      progress: (line) => process.stderr.write(`${line}\n`),
    });
    process.stdout.write(`${report}\n`);
    return 0;
  }
  if (asked.includes('scrape')) {
    if (asked.length > 1) throw new Error('"scrape" is a benchmark of its own: name no part beside it.');
    const size = values.quick === true ? { services: 50, rounds: 1 } : { services: 1000, rounds: 5 };
    process.stdout.write(`${await benchmarkScrape({ ...size, realServers: 10 })}\n`);
    return 0;
  }
  if (values.plot !== undefined) throw new Error('--plot belongs to "weights".');
  const unknown = asked.find((part) => !parts.some((known) => known === part));
  if (unknown !== undefined)
    throw new Error(`There is no part "${unknown}": ${parts.join(', ')}, weights, scrape.`);
  const progress = (line: string) => process.stderr.write(`${line}\n`);
  ensureLabPackages(progress);
  const inside = await buildProduct({ entry: 'bench/inside.ts', outfile: 'build/bench/inside.mjs' });

  const chosen = parts.filter((part) => asked.length === 0 || asked.includes(part));
  const needsProduct = chosen.some((part) => part !== 'programming' && part !== 'health');
  const isQuick = values.quick === true;
  const options: BenchmarkOptions = {
    ...(isQuick
      ? { services: 50, realServers: 4, rounds: 2, edits: 10, idleSeconds: 3 }
      : { services: 1000, realServers: 10, rounds: 5, edits: 120, idleSeconds: 20 }),
    parts: chosen,
    product: needsProduct ? (await buildProduct()).file : '',
    checkerProgram: chosen.includes('health') ? await buildChecker() : '',
    serverProgram: chosen.includes('health') ? await buildServers() : '',
    healthAspects: chooseAspects(values.aspect, isQuick),
    healthSize: isQuick ? 'quick' : 'whole',
  };
  // Of this machine, which the lab cannot see: on a busy one, nothing that follows is worth quoting.
  const load = `${(os.loadavg()[0] ?? 0).toFixed(2)} on ${os.cpus().length} CPUs before the start`;
  const native = chosen.includes('health') ? await measureNatively(options, progress) : undefined;
  if (native !== undefined && chosen.length === 1 && options.healthAspects.every((one) => one === 'native')) {
    print({ ...native, environment: { kernel: os.release(), node: process.version, load } }, values.json);
    return 0;
  }
  let report: Report | undefined;
  const result = await bootLab(
    { argv: [process.execPath, inside.file, JSON.stringify(options), resultFile] },
    {
      onStdout: (text) => process.stderr.write(text),
      onScratch: (folder) => {
        report = readReport(path.join(folder, resultFile));
      },
      timeoutMs: 45 * 60_000,
    },
  );
  if (result.outcome !== 'exited' || result.code !== 0 || report === undefined) {
    console.error(`The benchmarks did not end well: the program ${describeLabResult(result)}.`);
    return 1;
  }
  const found: Report = {
    ...report,
    measurements: [...report.measurements, ...(native?.measurements ?? [])],
    environment: { ...report.environment, load },
  };
  print(found, values.json);
  return 0;
}

function print(report: Report, isJson: boolean | undefined): void {
  process.stdout.write(`${isJson === true ? formatReportAsJson(report) : formatReport(report)}\n`);
}

/** @throws Error when there is no such aspect */
function chooseAspects(asked: readonly string[] | undefined, isQuick: boolean): readonly HealthAspect[] {
  const unknown = asked?.find((aspect) => !healthAspects.some((known) => known === aspect));
  if (unknown !== undefined)
    throw new Error(`There is no aspect "${unknown}" of health: ${healthAspects.join(', ')}.`);
  const usual = isQuick ? healthAspects.filter((aspect) => aspect !== 'cpu-large') : healthAspects;
  return asked === undefined ? usual : healthAspects.filter((aspect) => asked.includes(aspect));
}

async function buildChecker(): Promise<string> {
  const built = await buildProduct({
    entry: 'test/lab/farm/checker-program.ts',
    outfile: 'build/bench/checker.mjs',
  });
  return built.file;
}

async function buildServers(): Promise<string> {
  const built = await buildProduct({
    entry: 'bench/health/server-program.ts',
    outfile: 'build/bench/servers.mjs',
  });
  return built.file;
}

/** Before the lab takes its share of the machine. */
async function measureNatively(
  { checkerProgram, healthAspects: chosen, healthSize }: BenchmarkOptions,
  progress: (line: string) => void,
): Promise<PartResult | undefined> {
  if (!chosen.includes('native')) return undefined;
  progress('probes natively, over loopback');
  return measureNativeCpu(checkerProgram, {
    question: 'tcp',
    port: 0,
    targets: healthSize === 'quick' ? 1000 : 10_000,
    intervalSeconds: healthSize === 'quick' ? 1 : 5,
    timeoutSeconds: 1,
    failureThreshold: 3,
  });
}

function readReport(file: string): Report | undefined {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as Report;
  } catch {
    return undefined;
  }
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  if (!(error instanceof LabUnavailable)) throw error;
  console.error(error.message);
  process.exitCode = 1;
}
