import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { repository } from './native.ts';

const lister = fileURLToPath(import.meta.resolve('./list-names.ts'));
const longestMs = 30_000;

/**
 * Whether a file has a test whose name matches. Where none has, the file must not run at all: `node:test` starts its
 * `before` hooks and does not await them, `after` meets half of what they make, and the rest keeps the process alive.
 *
 * @returns true also when the names cannot be had: the run says then what is wrong
 */
export async function hasMatchingName(file: string, pattern: string): Promise<boolean> {
  try {
    const { stdout } = await promisify(execFile)(process.execPath, [lister, file], {
      cwd: repository,
      timeout: longestMs,
    });
    const matcher = new RegExp(pattern);
    const names = stdout.split('\n').filter((line) => line.startsWith('"'));
    return names.some((line) => matcher.test(String(JSON.parse(line))));
  } catch {
    return true;
  }
}
