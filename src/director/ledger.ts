import { createHash } from 'node:crypto';
import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { open } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { LvsError } from '../base/index.ts';
import type { VipBinding } from '../link/pure.ts';
import type { Allocations, DrainRecord } from '../plan/index.ts';
import type { Maintenance } from './maintenance.ts';

/**
 * The ledger: what this director owns on this host. It is written before the kernel is touched, so that a crash
 * between the two can only leave an entry that is listed but absent, never one that is present but unlisted. What only
 * drains have moved is written right after.
 */
export interface Ledger {
  /** Owned services by `formatVirtualServiceKey`, sorted. */
  readonly services: readonly string[];
  readonly vips: readonly VipBinding[];
  readonly drains: readonly DrainRecord[];
  readonly allocations: Allocations;
  /** Values that sysctls had before we first wrote them, for `cleanup`. */
  readonly sysctlsBefore: Readonly<Record<string, string>>;
  /** True once our netfilter chains may exist. */
  readonly hasPacketRules: boolean;
  /** Undefined: it takes clients. */
  readonly maintenance: Maintenance | undefined;
}

export const emptyLedger: Ledger = {
  services: [],
  vips: [],
  drains: [],
  allocations: { addresses: {}, marks: {}, portOwners: {} },
  sysctlsBefore: {},
  hasPacketRules: false,
  maintenance: undefined,
};

/** Raised when a field changes its meaning. Additions do not raise it: unknown fields are ignored. */
const schemaVersion = 1;
const ledgerFile = 'ledger.json';

export interface LedgerRead {
  readonly ledger: Ledger;
  /** Why the ledger on disk could not be used; ownership then rests on the kernel's witness bits. */
  readonly damage: string | undefined;
}

/** Drains begin and end in bursts; one write records them all. */
const soonMs = 100;

/** Whether two ledgers tell of the same property: all that must be on disk before the kernel is touched. */
export function isSameProperty(a: Ledger, b: Ledger): boolean {
  const names = Object.keys(b) as (keyof Ledger)[];
  return names.every((name) => name === 'drains' || a[name] === b[name]);
}

/** Keeps the old object when the new one says the same, so that identity comparisons stay meaningful. */
export function sameOr<T>(before: T, after: T): T {
  return before === after || JSON.stringify(before) === JSON.stringify(after) ? before : after;
}

/** The ledger before, when the new one holds the same objects. */
export function sameLedgerOr(before: Ledger, after: Ledger): Ledger {
  const names = Object.keys(after) as (keyof Ledger)[];
  return names.every((name) => before[name] === after[name]) ? before : after;
}

/** Keeps one ledger file in a state directory. Not safe for two processes: `acquireDirectorLock` sees to that. */
export class LedgerStore {
  readonly #directory: string;
  #lastWritten = '';
  /** What `#lastWritten` says. */
  #lastLedger: Ledger | undefined;
  #pending: { readonly ledger: Ledger; readonly onEnd: (error: unknown) => void } | undefined;
  #timer: NodeJS.Timeout | undefined;
  #writing: Promise<void> | undefined;
  /** Of writes that waited for nobody: what is written beside one of them is older. */
  #writesNow = 0;
  #writes = 0;

  /**
   * @param directory created if missing.
   * @throws LvsError LVS_CONFIG_INVALID when the directory cannot be created or written.
   */
  constructor(directory: string) {
    this.#directory = directory;
    try {
      ensureDirectory(directory);
      writeFileAtomically(join(directory, '.write-test'), '');
      rmSync(join(directory, '.write-test'));
    } catch (error) {
      throw new LvsError(
        'LVS_CONFIG_INVALID',
        `The state directory ${directory} cannot be written (${errnoOf(error)}).`,
        {
          cause: error,
          hint: 'Give a writable directory with --state-dir.',
        },
      );
    }
  }

  /**
   * A missing file is an empty ledger. A damaged or newer one is set aside under another name and reported: the
   * director then finds its own entries by their witness bits instead of refusing to serve.
   */
  read(): LedgerRead {
    const path = join(this.#directory, ledgerFile);
    if (!existsSync(path)) return { ledger: emptyLedger, damage: undefined };
    try {
      const text = readFileSync(path, 'utf8');
      const ledger = decodeLedger(text);
      this.#lastWritten = text;
      return { ledger, damage: undefined };
    } catch (error) {
      const aside = `${path}.unreadable`;
      renameSync(path, aside);
      const reason = error instanceof Error ? error.message : String(error);
      return { ledger: emptyLedger, damage: `${reason} It was moved to ${aside}.` };
    }
  }

  /** Writes to disk since the beginning. */
  get writes(): number {
    return this.#writes;
  }

  /** Whether somebody removed the file that was written. */
  isMissing(): boolean {
    return this.#lastWritten !== '' && !existsSync(join(this.#directory, ledgerFile));
  }

  /** Writes only what differs from the last write, or is gone. @throws the file system's error. */
  write(ledger: Ledger): void {
    this.#pending = undefined;
    this.#writesNow++;
    if (ledger === this.#lastLedger && !this.isMissing()) return;
    const text = encodeLedger(ledger);
    if (text !== this.#lastWritten || this.isMissing()) {
      writeFileAtomically(join(this.#directory, ledgerFile), text);
      this.#writes++;
      this.#lastWritten = text;
    }
    this.#lastLedger = ledger;
  }

  /**
   * Writes within a tenth of a second or so, holding up nobody: an edit must not wait for a disk. For ledgers that differ
   * in drains only. One that a crash swallows begins anew, so that a server leaves later than it might, and never sooner.
   *
   * @param onEnd with the file system's error, or undefined once it is on disk; not called for what was written otherwise.
   */
  writeSoon(ledger: Ledger, onEnd: (error: unknown) => void): void {
    this.#pending = { ledger, onEnd };
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.#writing ??= this.#writePending().finally(() => {
        this.#writing = undefined;
      });
    }, soonMs);
  }

  /** Resolves when nothing is on its way to the disk any more; what waits is written. */
  async settle(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    await this.#writing;
    await this.#writePending();
  }

  async #writePending(): Promise<void> {
    for (let pending = this.#pending; pending !== undefined; pending = this.#pending) {
      this.#pending = undefined;
      const { ledger, onEnd } = pending;
      const writesNow = this.#writesNow;
      const isOvertaken = (): boolean => writesNow !== this.#writesNow;
      try {
        await this.#replace(ledger, isOvertaken);
        if (!isOvertaken()) onEnd(undefined);
      } catch (error) {
        if (!isOvertaken()) onEnd(error);
      }
    }
  }

  /** As `writeFileAtomically`, unless a write that waits for nobody overtakes this one. */
  async #replace(ledger: Ledger, isOvertaken: () => boolean): Promise<void> {
    const text = encodeLedger(ledger);
    const path = join(this.#directory, ledgerFile);
    if (text === this.#lastWritten && !this.isMissing()) return;
    const temporary = `${path}.soon`;
    await writeSynced(temporary, text);
    if (isOvertaken()) {
      rmSync(temporary, { force: true });
      return;
    }
    renameSync(temporary, path);
    this.#writes++;
    this.#lastWritten = text;
    this.#lastLedger = ledger;
    await syncDirectory(this.#directory);
  }

  remove(): void {
    this.#pending = undefined;
    this.#writesNow++;
    rmSync(join(this.#directory, ledgerFile), { force: true });
    this.#lastWritten = '';
    this.#lastLedger = undefined;
  }
}

/** The ledger for readers that must not write: an unreadable one counts as empty, and stays where it is. */
export function readLedgerOnly(directory: string): Ledger {
  try {
    return decodeLedger(readFileSync(join(directory, ledgerFile), 'utf8'));
  } catch {
    return emptyLedger;
  }
}

/** One JSON document: schema version, checksum of the body's text, body. */
export function encodeLedger(ledger: Ledger): string {
  const body = JSON.stringify({ ...ledger, services: ledger.services.toSorted() });
  return `{"schemaVersion":${schemaVersion},"checksum":"${checksum(body)}","body":${body}}\n`;
}

/** @throws LvsError LVS_LEDGER_INVALID */
export function decodeLedger(text: string): Ledger {
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch (error) {
    throw new LvsError('LVS_LEDGER_INVALID', 'The ledger is not valid JSON.', { cause: error });
  }
  if (!isRecord(document) || !isRecord(document['body'])) {
    throw new LvsError('LVS_LEDGER_INVALID', 'The ledger has no body.');
  }
  const version = document['schemaVersion'];
  if (version !== schemaVersion) {
    throw new LvsError(
      'LVS_LEDGER_INVALID',
      `The ledger has schema version ${String(version)}, this director reads ${schemaVersion}.`,
    );
  }
  const body = document['body'];
  if (document['checksum'] !== checksum(JSON.stringify(body))) {
    throw new LvsError('LVS_LEDGER_INVALID', 'The ledger does not match its checksum.');
  }
  // The checksum proves that this text is what encodeLedger wrote, so its shape is trusted; only fields that an
  // older writer did not know are filled in.
  return { ...emptyLedger, ...body };
}

/** Readers see the old content or the new one, also after a power cut: write, fsync, rename, fsync the directory. */
export function writeFileAtomically(path: string, content: string): void {
  const temporary = `${path}.new`;
  const file = openSync(temporary, 'w', 0o600);
  try {
    writeSync(file, content);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  renameSync(temporary, path);
  const directory = openSync(join(path, '..'), 'r');
  try {
    fsyncSync(directory);
  } finally {
    closeSync(directory);
  }
}

async function writeSynced(path: string, content: string): Promise<void> {
  const file = await open(path, 'w', 0o600);
  try {
    await file.writeFile(content);
    await file.sync();
  } finally {
    await file.close();
  }
}

async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, 'r');
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

/**
 * `mkdir -p`. Node's own `recursive: true` never returns below /proc, where mkdir(2) answers ENOENT although the
 * parent exists.
 */
function ensureDirectory(path: string): void {
  if (existsSync(path)) return;
  ensureDirectory(dirname(path));
  mkdirSync(path, { mode: 0o700 });
}

function checksum(text: string): string {
  return `sha256:${createHash('sha256').update(text).digest('hex')}`;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function errnoOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : String(error);
}
