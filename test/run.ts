/**
 * `npm test -- [unit|kernel] [--filter TEXT]`: every layer of tests, each file in a process of its own, with a line
 * as each file ends and one closing summary. A kernel test that cannot run counts as failed and says why. The exit
 * status is 0 only when tests ran and none failed.
 */
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { assembleImage } from '../tools/assemble-image.ts';
import { buildProduct } from '../tools/build.ts';
import { ensureLabPackages } from './lab/packages.ts';
import { buildPreviousVersion } from './lab/previous-version.ts';
import { FileRun } from './runner/file-run.ts';
import type { FailedTest, FileResult } from './runner/file-run.ts';
import { runInOwnLab } from './runner/in-lab.ts';
import { findTestFiles, layerNames } from './runner/layers.ts';
import type { LayerName, TestFile } from './runner/layers.ts';
import { hasMatchingName } from './runner/matching-names.ts';
import { runNatively } from './runner/native.ts';
import { formatFailures, formatFile, formatSummary } from './runner/report.ts';
import type { LayerResult } from './runner/report.ts';

/** A file that takes longer hangs. */
const fileTimeoutMs: Readonly<Record<LayerName, number>> = { unit: 240_000, kernel: 900_000 };
/** Somebody may be watching: no longer silence than this. */
const heartbeatMs = 20_000;
/** Labs at once. Each has one CPU, ever. */
const labsAtOnce = 2;

const interrupted = new AbortController();

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

async function runFile(test: TestFile): Promise<FileResult> {
  const onFailure = (failure: FailedTest): void => print(`FAILED  ${test.file}: ${failure.name}`);
  const run = new FileRun(test.file, onFailure);
  const options = {
    timeoutMs: fileTimeoutMs[test.layer],
    signal: interrupted.signal,
    namePattern: test.namePattern,
  };
  const heartbeat = setInterval(() => {
    print(`...     ${test.file} (${run.progress}, ${run.seconds.toFixed(0)} s)`);
  }, heartbeatMs);
  const end = await (test.isInLab ? runInOwnLab(run, options) : runNatively(run, options));
  clearInterval(heartbeat);
  const result = run.end(end);
  if (test.layer === 'unit' || result.skipped.length === 0) return result;
  // What the kernel was to prove is not proven by saying why it was not tried.
  const unproven = result.skipped.map((text) => ({
    name: text,
    at: test.file,
    error: `It did not run: ${text}`,
  }));
  return { ...result, skipped: [], failed: [...result.failed, ...unproven] };
}

/** What kernel tests need first; its failure is the failure of every file. Unit tests make for themselves what they need. */
async function prepareKernelLayer(queue: readonly TestFile[]): Promise<string | undefined> {
  try {
    ensureLabPackages(print);
    await buildProduct();
    if (queue.some(({ file }) => file.endsWith('/image.test.ts'))) await assembleImage('build/image');
    if (queue.some(({ file }) => file.endsWith('/upgrade.test.ts'))) buildPreviousVersion(print);
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

async function runLayer(layer: LayerName, filter: string | undefined): Promise<LayerResult> {
  const startMs = performance.now();
  const files: FileResult[] = [];
  const queue = findTestFiles([layer], filter);
  const obstacle = layer === 'kernel' && queue.length > 0 ? await prepareKernelLayer(queue) : undefined;
  if (obstacle !== undefined) print(`FAILED  ${layer} tests cannot run: ${obstacle}`);
  const work = async (): Promise<void> => {
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
      if (interrupted.signal.aborted) return;
      const { namePattern } = next;
      if (next.isInLab && namePattern !== undefined && !(await hasMatchingName(next.file, namePattern)))
        continue;
      const result = obstacle === undefined ? await runFile(next) : cannotRun(next, obstacle);
      const isSilent = namePattern !== undefined && result.passed + result.failed.length === 0;
      if (isSilent) continue;
      files.push(result);
      print(formatFile(result));
    }
  };
  const atOnce = layer === 'kernel' ? labsAtOnce : Math.max(2, Math.min(availableParallelism(), 8));
  await Promise.all(Array.from({ length: atOnce }, work));
  return { layer, files, seconds: (performance.now() - startMs) / 1000 };
}

function cannotRun({ file }: TestFile, obstacle: string): FileResult {
  const failure = { name: 'the file itself', at: '', error: `It cannot run: ${obstacle}` };
  return { file, passed: 0, failed: [failure], skipped: [], seconds: 0, printed: [] };
}

/** @returns what is wrong, where something is. */
function readArguments(
  argv: readonly string[],
): { layers: readonly string[]; filter: string | undefined } | string {
  try {
    const { values, positionals } = parseArgs({
      args: [...argv],
      options: { filter: { type: 'string' } },
      allowPositionals: true,
    });
    const unknown = positionals.find((word) => !layerNames.some((name) => name === word));
    return unknown === undefined
      ? { layers: positionals, filter: values.filter }
      : `There is no layer "${unknown}"`;
  } catch (error) {
    return error instanceof Error ? (error.message.split('. ')[0] ?? error.message) : String(error);
  }
}

async function main(argv: readonly string[]): Promise<number> {
  const options = readArguments(argv);
  if (typeof options === 'string') {
    console.error(`${options}. Usage: npm test -- [unit|kernel] [--filter TEXT]`);
    return 2;
  }
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => {
      // The second time, now: labs end with this process.
      if (interrupted.signal.aborted) process.exit(130);
      print(`stopping on ${signal}`);
      interrupted.abort();
    });
  }

  const layers: LayerResult[] = [];
  for (const name of layerNames) {
    if (options.layers.length > 0 && !options.layers.includes(name)) continue;
    if (!interrupted.signal.aborted) layers.push(await runLayer(name, options.filter));
  }
  const results = layers.flatMap(({ files }) => files);
  const failures = formatFailures(results);
  print(failures === '' ? '' : `\n${failures}\n`);
  print(formatSummary(layers));
  if (interrupted.signal.aborted) return 130;
  return results.some(({ passed }) => passed > 0) && failures === '' ? 0 : 1;
}

process.exitCode = await main(process.argv.slice(2));
