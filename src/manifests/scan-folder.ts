import { lstatSync, readdirSync, statSync } from 'node:fs';
import type { BigIntStats } from 'node:fs';
import { join } from 'node:path';

/** Enough for any sane tree; a symbolic link to `/` ends here. */
const maxFolderDepth = 16;
export const maxFiles = 20_000;

export interface ScannedFile {
  readonly path: string;
  /** Changes whenever the content may have changed. */
  readonly signature: string;
  readonly mtimeMs: number;
  readonly sizeBytes: number;
}

/** A folder and which one it is: another folder under the same name has another identity. */
export interface ScannedFolder {
  readonly path: string;
  readonly identity: string;
}

/** A file or folder that could not be looked at, and why. */
export interface ScanProblem {
  readonly path: string;
  readonly message: string;
}

export interface FolderScan {
  /** Sorted by path. */
  readonly files: readonly ScannedFile[];
  /** The folder itself and every folder below it that was looked into. */
  readonly folders: readonly ScannedFolder[];
  readonly problems: readonly ScanProblem[];
  /** Files that have other names, too: their content may change without a word about this one. */
  readonly sharedPaths: readonly string[];
}

/**
 * Lists the manifests of a folder tree: `*.yaml`, `*.yml` and `*.json`. Names that begin with a dot are skipped, which
 * covers editors' swap files and the `..data` folders of a mounted ConfigMap, whose files appear again as links beside
 * them. Links are followed; a folder is entered once, however many links lead to it.
 * @throws the error of the file system when `folder` itself cannot be read.
 */
export function scanFolder(folder: string): FolderScan {
  const scan: Collected = { files: [], folders: [], problems: [], sharedPaths: [] };
  enterFolder(folder, 0, new Set(), scan);
  // By code point, not by locale: the order must be the same on every host.
  scan.files.sort((a, b) => (a.path < b.path ? -1 : 1));
  return scan;
}

/** Whether a file of this path counts, as far as its own name says. */
export function isManifestPath(path: string): boolean {
  return /(?:^|\/)[^./][^/]*\.(ya?ml|json)$/.test(path);
}

/**
 * Looks at one file of a folder that was scanned before.
 * @returns `gone`, or `unclear` when only a scan of the folder can tell what has become of it.
 */
export function scanFile(path: string): (ScannedFile & { readonly isShared: boolean }) | 'gone' | 'unclear' {
  try {
    const entry = lstatSync(path, { bigint: true, throwIfNoEntry: false });
    if (entry === undefined) return 'gone';
    const stats = entry.isSymbolicLink() ? statSync(path, { bigint: true }) : entry;
    if (!stats.isFile()) return 'unclear';
    return { ...describeFile(path, stats), isShared: entry.isSymbolicLink() || stats.nlink > 1n };
  } catch {
    return 'unclear';
  }
}

interface Collected {
  readonly files: ScannedFile[];
  readonly folders: ScannedFolder[];
  readonly problems: ScanProblem[];
  readonly sharedPaths: string[];
}

function enterFolder(folder: string, depth: number, visited: Set<string>, scan: Collected): void {
  const { dev, ino } = statSync(folder, { bigint: true });
  const identity = `${dev}:${ino}`;
  if (visited.has(identity)) return;
  visited.add(identity);
  const entries = readdirSync(folder, { withFileTypes: true });
  scan.folders.push({ path: folder, identity });
  for (const entry of entries) {
    const { name } = entry;
    if (name.startsWith('.')) continue;
    const path = join(folder, name);
    const isManifest = isManifestPath(name);
    try {
      const stats = statSync(path, { bigint: true });
      if (stats.isDirectory()) {
        if (depth >= maxFolderDepth) throw new Error(`more than ${maxFolderDepth} folders deep`);
        enterFolder(path, depth + 1, visited, scan);
      } else if (isManifest) {
        addFile(path, stats, scan);
        if (entry.isSymbolicLink() || stats.nlink > 1n) scan.sharedPaths.push(path);
      }
    } catch (error) {
      // Gone since the listing: as if it had never been there. Other names are none of our business.
      if (isGone(path) || (!isManifest && isDangling(error))) continue;
      scan.problems.push({ path, message: describeFileError(error) });
    }
  }
}

function addFile(path: string, stats: BigIntStats, scan: Collected): void {
  if (!stats.isFile()) throw new Error('not a regular file');
  if (scan.files.length >= maxFiles) throw new Error(`more than ${maxFiles} files in the folder`);
  scan.files.push(describeFile(path, stats));
}

export function describeFile(path: string, stats: BigIntStats): ScannedFile {
  return {
    path,
    signature: `${stats.dev}:${stats.ino}:${stats.size}:${stats.mtimeNs}:${stats.ctimeNs}`,
    mtimeMs: Number(stats.mtimeMs),
    sizeBytes: Number(stats.size),
  };
}

function isGone(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false }) === undefined;
}

function isDangling(error: unknown): boolean {
  const code = errorCode(error);
  return code === 'ENOENT' || code === 'ELOOP';
}

function errorCode(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}

/** What went wrong with a file, for people: no system call, no stack. */
export function describeFileError(error: unknown): string {
  const known = fileErrors.get(errorCode(error) ?? '');
  if (known !== undefined) return known;
  return error instanceof Error ? error.message : String(error);
}

const fileErrors: ReadonlyMap<string, string> = new Map([
  ['ENOENT', 'does not exist (or is a link to nowhere)'],
  ['EACCES', 'may not be read; check its permissions'],
  ['EPERM', 'may not be read; check its permissions'],
  ['ENOTDIR', 'is not a folder'],
  ['EISDIR', 'is a folder, not a file'],
  ['ELOOP', 'is a link that leads to itself'],
]);
