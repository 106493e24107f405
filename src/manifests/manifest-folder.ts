import { statSync } from 'node:fs';
import { LvsError } from '../base/index.ts';
import type { Clock } from '../base/index.ts';
import { readManifestFile } from './manifest-file.ts';
import type { ManifestFile } from './manifest-file.ts';
import { combineFiles } from './reading.ts';
import type { ManifestReading, ReadingInput } from './reading.ts';
import { describeFileError, isManifestPath, maxFiles, scanFile, scanFolder } from './scan-folder.ts';
import type { FolderScan } from './scan-folder.ts';
import { watchFolder } from './watch-folder.ts';
import type { FolderNews, FolderWatch } from './watch-folder.ts';

/**
 * A file that was written or has vanished this recently may be halfway through being saved. Objects that it had before
 * and lacks now are not missed until it has been left alone for this long. Nothing else waits.
 */
const settleMs = 100;

export interface ManifestFolder {
  /**
   * Looks at every file; parses only the documents that changed since the last call, and gives back the very same
   * reading when nothing did. Synchronous: a reading is one
   * moment of the folder, as far as a file system has moments.
   * @throws LvsError LVS_MANIFEST_FOLDER when the folder is missing, unreadable, or holds no object at all: none of
   *   that may be taken for "remove everything".
   */
  read(): ManifestReading;
  /**
   * As `read`, but looks only at what the watch has told of since the last reading. Without a watch it is the same.
   * @throws LvsError LVS_MANIFEST_FOLDER
   */
  readChanged(): ManifestReading;
  /**
   * Calls `onChange` soon after anything in the folder changed, and again when a file that `read` found in the middle
   * of being saved has settled. Several changes may make one call; a call may find nothing changed. Read once after
   * this call: what changed before it is not told.
   */
  watch(onChange: () => void): void;
  /** Ends the watch. */
  close(): void;
}

/**
 * A folder of manifests that is read again and again. Opening touches nothing.
 * @param clock its wall time is compared with the times of files. Without one, files are read every time and nothing
 *   waits until a file has settled: right for a single look, wrong for a director.
 */
export function openManifestFolder(folder: string, clock?: Clock): ManifestFolder {
  const memory = new FolderMemory(clock);
  let watch: FolderWatch | undefined;
  let news: FolderNews = 'all';
  const readNews = (toldOf: FolderNews): ManifestReading => {
    // A reading that fails has seen nothing.
    news = 'all';
    const reading = toldOf === 'all' ? memory.read(folder) : memory.readFiles(folder, toldOf);
    // What has not settled is looked at again with whatever comes next, and after a while in any case.
    news = new Set(memory.unsettledPaths);
    if (news.size > 0) watch?.notifyIn(settleMs + 10);
    return reading;
  };
  return {
    read: () => readNews('all'),
    readChanged: () => readNews(watch === undefined ? 'all' : news),
    watch(onChange) {
      watch?.close();
      const onNews = (told: FolderNews): void => {
        news = news === 'all' || told === 'all' ? 'all' : new Set([...news, ...told]);
        onChange();
      };
      watch = watchFolder(folder, onNews, clock);
    },
    close() {
      watch?.close();
      watch = undefined;
    },
  };
}

/** What is remembered between two readings. */
class FolderMemory {
  readonly #clock: Clock | undefined;
  #files = new Map<string, ManifestFile>();
  /** What each file held when it was last settled, by path; a vanished file stays until it is believed. */
  #settledKeys = new Map<string, ReadonlySet<string>>();
  #vanishedAtMs = new Map<string, number>();
  #unsettledPaths: readonly string[] = [];
  /** Of the last scan; undefined: it had problems, of which single files tell nothing. */
  #sharedPaths: Set<string> | undefined;
  #last: { readonly input: ReadingInput; readonly reading: ManifestReading } | undefined;

  constructor(clock: Clock | undefined) {
    this.#clock = clock;
  }

  get unsettledPaths(): readonly string[] {
    return this.#unsettledPaths;
  }

  read(folder: string): ManifestReading {
    const nowMs = this.#clock?.wallMs();
    this.#sharedPaths = undefined;
    const scan = scanOrRefuse(folder);
    const files = scan.files.map((file) =>
      readManifestFile(file.path, file, this.#files.get(file.path), nowMs),
    );
    if (scan.problems.length === 0) this.#sharedPaths = new Set(scan.sharedPaths);
    return this.#accept(folder, { files, unreadable: scan.problems, nowMs });
  }

  /**
   * The folder as last scanned, but for these files. One that has other names is looked at as well: its content may have
   * changed under one of those. What is no plain file takes a scan.
   */
  readFiles(folder: string, paths: ReadonlySet<string>): ManifestReading {
    const shared = this.#sharedPaths;
    if (shared === undefined || this.#last === undefined) return this.read(folder);
    const nowMs = this.#clock?.wallMs();
    const files = new Map(this.#files);
    for (const path of new Set([...paths, ...shared])) {
      if (!isManifestPath(path)) continue;
      const found = scanFile(path);
      if (found === 'unclear') return this.read(folder);
      if (found === 'gone') {
        files.delete(path);
        shared.delete(path);
        continue;
      }
      if (found.isShared) shared.add(path);
      else shared.delete(path);
      files.set(path, readManifestFile(path, found, files.get(path), nowMs));
    }
    if (files.size === 0 || files.size > maxFiles) return this.read(folder);
    const list = [...files.values()];
    // By code point, as a scan has it; only a new name is out of place.
    if (files.size !== this.#files.size || list.some(({ path }) => !this.#files.has(path)))
      list.sort((a, b) => (a.path < b.path ? -1 : 1));
    return this.#accept(folder, { files: list, unreadable: [], nowMs });
  }

  #accept(
    folder: string,
    found: Pick<ReadingInput, 'files' | 'unreadable'> & { readonly nowMs: number | undefined },
  ): ManifestReading {
    const { files, unreadable, nowMs } = found;
    const unsettledPaths = nowMs === undefined ? [] : this.#settle(files, nowMs);
    const input = { files, unreadable, unsettledPaths };
    this.#files = new Map(files.map((file) => [file.path, file]));
    const last = this.#last;
    const reading =
      last !== undefined && isSameInput(last.input, input) ? last.reading : combineFiles(input, last);
    this.#last = { input, reading };
    if (reading.objects.size === 0 && reading.isComplete) throw noObjects(folder, files.length);
    return reading;
  }

  #settle(files: readonly ManifestFile[], nowMs: number): readonly string[] {
    const unsettled: string[] = [];
    const settledKeys = new Map<string, ReadonlySet<string>>();
    const vanishedAtMs = new Map<string, number>();
    for (const { path, keys, scanned } of files) {
      const before = this.#settledKeys.get(path);
      const isFresh = scanned === undefined || Math.abs(nowMs - scanned.mtimeMs) < settleMs;
      const isUnsettled = isFresh && before !== undefined && before !== keys && !isSubset(before, keys);
      if (isUnsettled) unsettled.push(path);
      settledKeys.set(path, isUnsettled ? before : keys);
    }
    for (const [path, before] of this.#settledKeys) {
      if (settledKeys.has(path)) continue;
      const sinceMs = this.#vanishedAtMs.get(path) ?? nowMs;
      if (nowMs - sinceMs >= settleMs) continue;
      unsettled.push(path);
      vanishedAtMs.set(path, sinceMs);
      settledKeys.set(path, before);
    }
    this.#settledKeys = settledKeys;
    this.#vanishedAtMs = vanishedAtMs;
    this.#unsettledPaths = unsettled;
    return unsettled;
  }
}

/** Reads a folder once. @throws LvsError LVS_MANIFEST_FOLDER as `ManifestFolder.read`. */
export function readManifestFolder(folder: string): ManifestReading {
  return new FolderMemory(undefined).read(folder);
}

/**
 * Reads files and folders that a person named on a command line, as one set of objects. Any name will do for a file.
 * @throws LvsError LVS_MANIFEST_FOLDER when a folder is missing, unreadable or without manifests.
 */
export function readManifestPaths(paths: readonly string[]): ManifestReading {
  const files = new Map<string, ManifestFile>();
  const unreadable: { readonly path: string; readonly message: string }[] = [];
  for (const path of paths) {
    if (isFolder(path)) {
      const scan = scanOrRefuse(path);
      unreadable.push(...scan.problems);
      for (const file of scan.files)
        files.set(file.path, readManifestFile(file.path, file, undefined, undefined));
    } else {
      files.set(path, readManifestFile(path, undefined, undefined, undefined));
    }
  }
  return combineFiles({ files: [...files.values()], unreadable, unsettledPaths: [] });
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
}

function scanOrRefuse(folder: string): FolderScan {
  let scan: FolderScan;
  try {
    scan = scanFolder(folder);
  } catch (cause) {
    throw new LvsError('LVS_MANIFEST_FOLDER', `The manifest folder ${folder} ${describeFileError(cause)}.`, {
      cause,
      subject: folder,
    });
  }
  if (scan.files.length === 0 && scan.problems.length === 0) throw noObjects(folder, 0);
  return scan;
}

function noObjects(folder: string, fileCount: number): LvsError {
  const found = fileCount === 0 ? 'no *.yaml, *.yml or *.json file' : `no object in its ${fileCount} file(s)`;
  return new LvsError('LVS_MANIFEST_FOLDER', `The manifest folder ${folder} holds ${found}.`, {
    subject: folder,
    hint: 'An empty folder is never taken for "remove everything"; to remove what a director set up, use lvs-operator cleanup.',
  });
}

function isSubset(part: ReadonlySet<string>, whole: ReadonlySet<string>): boolean {
  for (const key of part) if (!whole.has(key)) return false;
  return true;
}

/** Whether two readings would come out the same. Cheap: unchanged documents are the same list. */
function isSameInput(a: ReadingInput, b: ReadingInput): boolean {
  return (
    a.files.length === b.files.length &&
    a.files.every((file, index) => isSameFile(file, b.files[index])) &&
    JSON.stringify([a.unreadable, a.unsettledPaths]) === JSON.stringify([b.unreadable, b.unsettledPaths])
  );
}

function isSameFile(a: ManifestFile, b: ManifestFile | undefined): boolean {
  return (
    a.path === b?.path &&
    a.documents === b.documents &&
    a.failure?.message === b.failure?.message &&
    a.failure?.line === b.failure?.line &&
    a.failure?.column === b.failure?.column
  );
}
