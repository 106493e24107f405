/** The version before this one, as it was landed: what an upgrade comes from, and what a rollback goes back to. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';

/** The next one that is landed comes here when it is the one before. */
export const previousCommit = '71041132f9b44b237dda7274d656628294e570ba';

// From the repository root: tests of the lab are bundled elsewhere.
const repository = process.cwd();

/** Its bundle, made by `buildPreviousVersion`; beside our node_modules, where it finds koffi. */
export const previousProduct = join(repository, `build/previous/${previousCommit.slice(0, 12)}.mjs`);

/** Why that version cannot be had; undefined: it can. A clone without its history has no old versions. */
export function missingHistory(): string | undefined {
  const { status } = spawnSync('git', ['cat-file', '-e', `${previousCommit}^{commit}`], { cwd: repository });
  return status === 0
    ? undefined
    : `this copy of the repository does not hold the commit ${previousCommit.slice(0, 12)} (a shallow clone?)`;
}

/** One file as that version had it. @throws Error where there is none */
export function previousFile(path: string): string {
  const { status, stdout, stderr } = spawnSync('git', ['show', `${previousCommit}:${path}`], {
    cwd: repository,
    encoding: 'utf8',
    maxBuffer: 16 * 1024 * 1024,
  });
  if (status !== 0) throw new Error(stderr);
  return stdout;
}

/**
 * Builds it by its own build, with the dependencies that are installed here. Without history it says so, and is content.
 * @throws Error with what git or the build said
 */
export function buildPreviousVersion(report: (text: string) => void): void {
  if (existsSync(previousProduct)) return;
  const missing = missingHistory();
  if (missing !== undefined) {
    report(`the version before is not built: ${missing}`);
    return;
  }
  mkdirSync(join(repository, 'build/previous'), { recursive: true });
  const folder = mkdtempSync(join(repository, 'build/previous/sources-'));
  try {
    const archive = join(folder, 'sources.tar');
    run('git', ['archive', `--output=${archive}`, previousCommit], repository);
    run('tar', ['-xf', archive], folder);
    symlinkSync(join(repository, 'node_modules'), join(folder, 'node_modules'));
    run(process.execPath, ['tools/build.ts'], folder);
    renameSync(join(folder, 'dist/lvs-operator.mjs'), previousProduct);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function run(program: string, args: readonly string[], cwd: string): void {
  const { status, stdout, stderr, error } = spawnSync(program, args, { cwd, encoding: 'utf8' });
  if (status !== 0) throw new Error(`${program} ${args.join(' ')}: ${error?.message ?? stdout + stderr}`);
}
