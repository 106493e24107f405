/**
 * `npm run lab -- COMMAND…` boots the lab kernel, runs a program in it, and ends with its output and exit status.
 * `npm run lab` alone, on a terminal, opens a shell there. See README.md in this folder.
 */
import { bootLab, describeLabResult } from './kernel.ts';
import { LabUnavailable, ensureLabPackages } from './packages.ts';
import { labShellArgv } from './shell.ts';

/** Exit status when the lab itself failed, as a shell uses it for "cannot run". */
const labFailed = 125;

async function main(argv: readonly string[]): Promise<number> {
  const interactive = argv.length === 0;
  if (interactive && !(process.stdin.isTTY && process.stdout.isTTY)) {
    console.error('Nothing to run. Give a command (npm run lab -- COMMAND…) or use a terminal for a shell.');
    return labFailed;
  }
  ensureLabPackages((line) => console.error(line));
  const result = await bootLab({ argv: interactive ? labShellArgv() : argv }, { interactive });
  if (result.outcome === 'exited') return result.code;
  console.error(`lab: ${describeLabResult(result)}`);
  return labFailed;
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  if (!(error instanceof LabUnavailable)) throw error;
  console.error(error.message);
  process.exitCode = labFailed;
}
