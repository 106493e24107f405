import { statSync, watch } from 'node:fs';
import type { FSWatcher } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import type { Clock } from '../base/index.ts';
import { isManifestPath, scanFolder } from './scan-folder.ts';
import type { ScannedFolder } from './scan-folder.ts';

/** A burst of events (an editor's save, `git pull`) is waited out this long, but never longer than the second. */
const quietMs = 5;
const longestBurstMs = 100;
/**
 * Where events do not come from (network file systems, links out of the folder), a look this often finds the change. It
 * takes no more than half a percent of one CPU: a folder of thousands of files is looked at less often.
 */
const shortestPollMs = 2000;
const longestPollMs = 10_000;
const pollShare = 1 / 200;
/** In a burst of more, a look at everything is cheaper, and events may have been lost. */
const maxPathsPerBurst = 256;

/** Paths of files that may be another now, or `all`: folders or links came, went or changed. */
export type FolderNews = ReadonlySet<string> | 'all';

export interface FolderWatch {
  /** Asks for one more notification, in a while. */
  notifyIn(delayMs: number): void;
  close(): void;
}

/**
 * Calls `onNews` after changes in a folder tree, whichever way they come about: files written in place or replaced,
 * links swapped (as the kubelet does it for a ConfigMap), the folder itself replaced, gone and come back.
 *
 * Flow: inotify watches sit on every folder of the tree, and on the parent for the day the folder is replaced; an event
 * starts the burst timer, whose end calls `onNews` with the files that the events named. Where an event is about a
 * folder or does not say what it is about, the news is `all`, and new folders to watch are looked for. Beside it a slow
 * poll compares the signatures of all files and finds what inotify cannot see. Guarantee: after the last change of a
 * file there is a call that names it or says `all`, at the latest one poll later. Caveat: calls may come with nothing
 * changed.
 *
 * @param clock measures what a poll costs; without one polls are as frequent as they may be
 */
export function watchFolder(
  folder: string,
  onNews: (news: FolderNews) => void,
  clock?: Pick<Clock, 'monotonicMs'>,
): FolderWatch {
  return new FolderWatcher(folder, onNews, clock ?? { monotonicMs: () => 0 });
}

/** All that a poll compares. */
interface Look {
  readonly signatures: ReadonlyMap<string, string>;
  /** Folders, and what could not be looked at. */
  readonly frame: string;
}

class FolderWatcher implements FolderWatch {
  readonly #folder: string;
  readonly #onNews: (news: FolderNews) => void;
  readonly #clock: Pick<Clock, 'monotonicMs'>;
  readonly #watchers = new Map<string, { readonly watcher: FSWatcher; readonly identity: string }>();
  /** Every folder of the tree, watched or not. */
  #folders: ReadonlySet<string> = new Set();
  /** Of the last look: what is behind a problem has no watch that would tell of it. */
  #hasProblems = false;
  #pending: Set<string> | 'all' = new Set();
  #poll: NodeJS.Timeout;
  #quiet: NodeJS.Timeout | undefined;
  #longest: NodeJS.Timeout | undefined;
  #later: NodeJS.Timeout | undefined;
  #lastPoll: Look;
  #isClosed = false;

  constructor(folder: string, onNews: (news: FolderNews) => void, clock: Pick<Clock, 'monotonicMs'>) {
    this.#folder = folder;
    this.#onNews = onNews;
    this.#clock = clock;
    this.#lastPoll = this.#look();
    this.#poll = setTimeout(() => this.#compare(), shortestPollMs);
  }

  notifyIn(delayMs: number): void {
    clearTimeout(this.#later);
    this.#later = setTimeout(() => this.#notify(new Set()), delayMs);
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#poll);
    clearTimeout(this.#quiet);
    clearTimeout(this.#longest);
    clearTimeout(this.#later);
    for (const { watcher } of this.#watchers.values()) watcher.close();
    this.#watchers.clear();
  }

  /** @param path undefined: it may be about anything. */
  #onEvent(path: string | undefined): void {
    if (path === undefined || this.#pending === 'all' || this.#pending.size >= maxPathsPerBurst)
      this.#pending = 'all';
    else this.#pending.add(path);
    clearTimeout(this.#quiet);
    this.#quiet = setTimeout(() => this.#endBurst(), quietMs);
    this.#longest ??= setTimeout(() => this.#endBurst(), longestBurstMs);
  }

  #endBurst(): void {
    clearTimeout(this.#quiet);
    clearTimeout(this.#longest);
    this.#longest = undefined;
    const pending = this.#pending;
    this.#pending = new Set();
    if (pending !== 'all' && !this.#hasProblems && ![...pending].some((path) => this.#mayBeFolder(path))) {
      const files = new Set([...pending].filter(isManifestPath));
      if (files.size > 0) this.#notify(files);
      return;
    }
    const watchedBefore = this.#watched();
    // First the news, then the bookkeeping: a new folder is watched a moment late, so tell once more if there is one.
    this.#notify('all');
    if (this.#isClosed) return;
    // What the poll compares with stays as it was: a change that only it can see may lie between that call and this look.
    this.#look();
    if (this.#watched() !== watchedBefore) this.#notify('all');
  }

  #mayBeFolder(path: string): boolean {
    if (this.#folders.has(path)) return true;
    try {
      return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
    } catch {
      return true;
    }
  }

  #watched(): string {
    return [...this.#watchers].map(([path, { identity }]) => `${path}\0${identity}`).join('\n');
  }

  #compare(): void {
    const before = this.#lastPoll;
    const startMs = this.#clock.monotonicMs();
    const look = this.#look();
    const tookMs = this.#clock.monotonicMs() - startMs;
    this.#lastPoll = look;
    this.#poll = setTimeout(
      () => this.#compare(),
      Math.min(longestPollMs, Math.max(shortestPollMs, tookMs / pollShare)),
    );
    if (look.frame !== before.frame) this.#notify('all');
    else {
      const changed = differences(before.signatures, look.signatures);
      if (changed.size > 0) this.#notify(changed);
    }
  }

  #notify(news: FolderNews): void {
    if (!this.#isClosed) this.#onNews(news);
  }

  /** Watches the folders that exist now, and sums up all files as they are. A folder that is gone is a state too. */
  #look(): Look {
    try {
      const { files, folders, problems } = scanFolder(this.#folder);
      this.#watchOnly(folders);
      this.#hasProblems = problems.length > 0;
      return {
        signatures: new Map(files.map(({ path, signature }) => [path, signature])),
        frame: JSON.stringify([folders, problems]),
      };
    } catch (error) {
      this.#watchOnly([]);
      return { signatures: new Map(), frame: `unreadable: ${String(error)}` };
    }
  }

  #watchOnly(folders: readonly ScannedFolder[]): void {
    const parent = dirname(resolve(this.#folder));
    this.#folders = new Set(folders.map(({ path }) => path));
    const wanted = new Map(folders.map(({ path, identity }) => [path, identity]));
    for (const [path, { watcher, identity }] of this.#watchers) {
      if (path === parentKey || wanted.get(path) === identity) continue;
      watcher.close();
      this.#watchers.delete(path);
    }
    const ownName = basename(resolve(this.#folder));
    this.#watch(parentKey, parent, parent, (name) => {
      if (name === null || name === ownName) this.#onEvent(undefined);
    });
    for (const [path, identity] of wanted) {
      // The folder's own end comes under its own name.
      const folderName = basename(resolve(path));
      this.#watch(path, path, identity, (name) => {
        if (name === null || name === folderName || name.startsWith('..')) this.#onEvent(undefined);
        else if (!name.startsWith('.')) this.#onEvent(join(path, name));
      });
    }
  }

  #watch(key: string, path: string, identity: string, onName: (name: string | null) => void): void {
    if (this.#watchers.has(key)) return;
    try {
      const watcher = watch(path, (_event, name) => onName(name));
      // Out of inotify watches, or the folder has just gone: the poll still looks.
      watcher.on('error', () => this.#forget(key));
      this.#watchers.set(key, { watcher, identity });
    } catch {
      // As above.
    }
  }

  #forget(key: string): void {
    this.#watchers.get(key)?.watcher.close();
    this.#watchers.delete(key);
  }
}

/** Among the watchers; no folder has this name. */
const parentKey = '';

/** Files that came, went or changed. */
function differences(before: Look['signatures'], after: Look['signatures']): ReadonlySet<string> {
  const changed = new Set<string>();
  for (const [path, signature] of after) if (before.get(path) !== signature) changed.add(path);
  for (const path of before.keys()) if (!after.has(path)) changed.add(path);
  return changed;
}
