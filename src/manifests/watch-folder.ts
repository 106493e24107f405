import { watch } from 'node:fs';
import type { FSWatcher } from 'node:fs';
import { basename, dirname, resolve } from 'node:path';
import { scanFolder } from './scan-folder.ts';
import type { ScannedFolder } from './scan-folder.ts';

/** A burst of events (an editor's save, `git pull`) is waited out this long, but never longer than the second. */
const quietMs = 5;
const longestBurstMs = 100;
/** Where events do not come from (network file systems, links out of the folder), a look this often finds the change. */
const pollMs = 2000;

export interface FolderWatch {
  /** Asks for one more notification, in a while. */
  notifyIn(delayMs: number): void;
  close(): void;
}

/**
 * Calls `onChange` after changes in a folder tree, whichever way they come about: files written in place or replaced,
 * links swapped (as the kubelet does it for a ConfigMap), the folder itself replaced, gone and come back.
 *
 * Flow: inotify watches sit on every folder of the tree, and on the parent for the day the folder is replaced; an event
 * starts the burst timer, whose end calls `onChange` and then looks for new folders to watch. Beside it a slow poll
 * compares the signatures of all files and finds what inotify cannot see. Guarantee: after the last change there is a
 * call, at the latest one poll later. Caveat: calls may come with nothing changed.
 */
export function watchFolder(folder: string, onChange: () => void): FolderWatch {
  return new FolderWatcher(folder, onChange);
}

class FolderWatcher implements FolderWatch {
  readonly #folder: string;
  readonly #onChange: () => void;
  readonly #watchers = new Map<string, { readonly watcher: FSWatcher; readonly identity: string }>();
  readonly #poll: NodeJS.Timeout;
  #quiet: NodeJS.Timeout | undefined;
  #longest: NodeJS.Timeout | undefined;
  #later: NodeJS.Timeout | undefined;
  #signature: string;
  #isClosed = false;

  constructor(folder: string, onChange: () => void) {
    this.#folder = folder;
    this.#onChange = onChange;
    this.#signature = this.#look();
    this.#poll = setInterval(() => this.#compare(), pollMs);
  }

  notifyIn(delayMs: number): void {
    clearTimeout(this.#later);
    this.#later = setTimeout(() => this.#notify(), delayMs);
  }

  close(): void {
    this.#isClosed = true;
    clearInterval(this.#poll);
    clearTimeout(this.#quiet);
    clearTimeout(this.#longest);
    clearTimeout(this.#later);
    for (const { watcher } of this.#watchers.values()) watcher.close();
    this.#watchers.clear();
  }

  #onEvent(): void {
    clearTimeout(this.#quiet);
    this.#quiet = setTimeout(() => this.#endBurst(), quietMs);
    this.#longest ??= setTimeout(() => this.#endBurst(), longestBurstMs);
  }

  #endBurst(): void {
    clearTimeout(this.#quiet);
    clearTimeout(this.#longest);
    this.#longest = undefined;
    const watchedBefore = this.#watched();
    // First the news, then the bookkeeping: a new folder is watched a moment late, so tell once more if there is one.
    this.#notify();
    if (this.#isClosed) return;
    // The signature stays as it was: a change that only the poll can see may lie between that call and this look.
    this.#look();
    if (this.#watched() !== watchedBefore) this.#notify();
  }

  #watched(): string {
    return [...this.#watchers].map(([path, { identity }]) => `${path}\0${identity}`).join('\n');
  }

  #compare(): void {
    const before = this.#signature;
    this.#signature = this.#look();
    if (this.#signature !== before) this.#notify();
  }

  #notify(): void {
    if (!this.#isClosed) this.#onChange();
  }

  /** Watches the folders that exist now, and sums up all files as they are. A folder that is gone is a state too. */
  #look(): string {
    try {
      const scan = scanFolder(this.#folder);
      this.#watchOnly(scan.folders);
      const files = scan.files.map(({ path, signature }) => `${path}\0${signature}`);
      return [...files, ...scan.problems.map(({ path, message }) => `${path}\0${message}`)].join('\n');
    } catch (error) {
      this.#watchOnly([]);
      return `unreadable: ${String(error)}`;
    }
  }

  #watchOnly(folders: readonly ScannedFolder[]): void {
    const parent = dirname(resolve(this.#folder));
    const wanted = new Map(folders.map(({ path, identity }) => [path, identity]));
    for (const [path, { watcher, identity }] of this.#watchers) {
      if (path === parentKey || wanted.get(path) === identity) continue;
      watcher.close();
      this.#watchers.delete(path);
    }
    const ownName = basename(resolve(this.#folder));
    this.#watch(parentKey, parent, parent, (name) => name === ownName);
    for (const [path, identity] of wanted) this.#watch(path, path, identity, isVisible);
  }

  #watch(key: string, path: string, identity: string, isNews: (name: string) => boolean): void {
    if (this.#watchers.has(key)) return;
    try {
      const watcher = watch(path, (_event, name) => {
        if (name === null || isNews(name)) this.#onEvent();
      });
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

/** Editors' swap files change all the time; `..data` is the link that the kubelet swaps. */
function isVisible(name: string): boolean {
  return !name.startsWith('.') || name.startsWith('..');
}
