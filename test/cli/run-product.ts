import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { buildProduct } from '../../tools/build.ts';

export interface ProductRun {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

let bundle: Promise<string> | undefined;

/** Path of the bundle, built from these sources. */
export function productFile(): Promise<string> {
  bundle ??= buildProduct().then(({ file }) => file);
  return bundle;
}

/**
 * Runs the bundle as a person would, to its end. Whatever a person does, nobody is shown a stack trace: that is checked
 * here, for every test.
 */
export async function runProduct(
  args: readonly string[],
  options: { cwd?: string; env?: Readonly<Record<string, string>> } = {},
): Promise<ProductRun> {
  const child = spawn(process.execPath, [await productFile(), ...args], {
    cwd: options.cwd,
    env: { ...process.env, ...options.env },
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: 20_000,
  });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => (stdout += chunk));
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => (stderr += chunk));
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  assert.doesNotMatch(stdout + stderr, /^\s+at |node:internal|Node\.js v\d/m);
  return { code, stdout, stderr };
}
