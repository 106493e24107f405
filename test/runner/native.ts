import { spawn } from 'node:child_process';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type { FileRun, ProcessEnd } from './file-run.ts';

export const repository = path.resolve(import.meta.dirname, '../..');

/** The reporter that every test process loads. */
export const reporterFile = fileURLToPath(import.meta.resolve('./reporter.ts'));

export interface NativeOptions {
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
  /** Only tests whose name matches. */
  readonly namePattern: string | undefined;
}

/** Arguments with which Node runs one test file and reports to the runner. */
export function nodeTestArguments(reporter: string, file: string, namePattern: string | undefined): string[] {
  return [
    '--enable-source-maps',
    `--test-reporter=${reporter}`,
    '--test-reporter-destination=stdout',
    ...(namePattern === undefined ? [] : [`--test-name-pattern=${namePattern}`]),
    file,
  ];
}

/** Runs a test file in a process of its own on this machine. */
export function runNatively(run: FileRun, options: NativeOptions): Promise<ProcessEnd> {
  const { NODE_TEST_CONTEXT: _, ...env } = process.env;
  const child = spawn(process.execPath, nodeTestArguments(reporterFile, run.file, options.namePattern), {
    cwd: repository,
    // Types are stripped once and not on every start.
    env: { NODE_COMPILE_CACHE: path.join(repository, 'build/compile-cache'), ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => run.stdout(chunk));
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => run.stderr(chunk));

  let stopped: string | undefined;
  const stop = (why: string): void => {
    stopped ??= why;
    child.kill('SIGTERM');
    setTimeout(() => child.kill('SIGKILL'), 3000).unref();
  };
  const timer = setTimeout(() => stop(`was stopped after ${options.timeoutMs / 1000} s`), options.timeoutMs);
  const onAbort = (): void => stop('was stopped on request');
  options.signal.addEventListener('abort', onAbort);
  return new Promise((resolve) => {
    const settle = (end: ProcessEnd): void => {
      clearTimeout(timer);
      options.signal.removeEventListener('abort', onAbort);
      resolve(end);
    };
    child.once('error', (error) => settle({ isClean: false, how: `could not be started: ${error.message}` }));
    child.once('close', (code, signal) => {
      const how = stopped ?? (code === null ? `was ended by ${signal}` : `exited with status ${code}`);
      settle({ isClean: code === 0 && stopped === undefined, how });
    });
  });
}
