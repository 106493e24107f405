import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { formatObjectRef, objectRefOf, parseResource } from '../api/index.ts';
import type { Resource } from '../api/index.ts';
import type { Logger } from '../base/index.ts';
import type { ManifestObject } from '../manifests/index.ts';
import type { Resources } from '../plan/index.ts';
import { writeFileAtomically } from './ledger.ts';

const lastGoodFile = 'last-good.json';
/** Edits come in bursts, and nothing but a restart reads this file: it waits for a quiet moment, but not for ever. */
const quietMs = 1000;
const longestDelayMs = 5000;

/**
 * The last accepted form of every object, on disk: what a restarted director serves in place of a manifest that has
 * become unreadable or refused in the meantime.
 */
export class LastGoodStore {
  readonly #path: string;
  readonly #logger: Logger;
  #pending: { accepted: Resources; fileOf: (object: Resource) => string | undefined } | undefined;
  #timer: NodeJS.Timeout | undefined;
  #latest: NodeJS.Timeout | undefined;
  readonly #texts = new WeakMap<Resource, { readonly file: string; readonly text: string }>();
  #saved: Resources | undefined;

  constructor(stateDirectory: string, logger: Logger) {
    this.#path = join(stateDirectory, lastGoodFile);
    this.#logger = logger;
  }

  /** By `formatObjectRef`. Empty when there is no file or it does not read: it is a help, not a truth. */
  load(): ReadonlyMap<string, ManifestObject> {
    const objects = new Map<string, ManifestObject>();
    let entries: unknown;
    try {
      entries = JSON.parse(readFileSync(this.#path, 'utf8'));
    } catch {
      return objects;
    }
    if (!Array.isArray(entries)) return objects;
    for (const entry of entries as { file?: unknown; resource?: unknown }[]) {
      const parsed = parseResource(entry.resource);
      if (!parsed.ok || typeof entry.file !== 'string') continue;
      const { file } = entry;
      const ref = objectRefOf(parsed.resource);
      objects.set(formatObjectRef(ref), {
        ref,
        resource: parsed.resource,
        file,
        locate: () => ({ file, line: 1, column: 1 }),
      });
    }
    return objects;
  }

  /** Saves soon, and only if `accepted` is not what was saved last. */
  saveSoon(accepted: Resources, fileOf: (object: Resource) => string | undefined): void {
    if (accepted === this.#saved || accepted === this.#pending?.accepted) return;
    this.#pending = { accepted, fileOf };
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.flush(), quietMs);
    this.#latest ??= setTimeout(() => this.flush(), longestDelayMs);
  }

  /** Writes what is pending, now. */
  flush(): void {
    clearTimeout(this.#timer);
    clearTimeout(this.#latest);
    this.#timer = undefined;
    this.#latest = undefined;
    if (this.#pending === undefined) return;
    const { accepted, fileOf } = this.#pending;
    this.#pending = undefined;
    const resources = [...accepted.addressPools, ...accepted.virtualServices, ...accepted.realServers];
    const entries = resources.map((resource) => this.#format(resource, fileOf(resource) ?? ''));
    try {
      writeFileAtomically(this.#path, `[${entries.join(',\n')}]`);
      this.#saved = accepted;
    } catch (error) {
      this.#logger.warn('last good state not saved', { error });
    }
  }

  /** Objects stay the same objects until they are edited, so each is put into words once. */
  #format(resource: Resource, file: string): string {
    const known = this.#texts.get(resource);
    if (known?.file === file) return known.text;
    const text = JSON.stringify({ file, resource }, writeNetworksAsText);
    this.#texts.set(resource, { file, text });
    return text;
  }
}

/** Parsing made objects of networks and ranges; as text again, the entry reads like the manifest that it came from. */
function writeNetworksAsText(_key: string, value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  const { address, prefixLength, first, last } = value as Record<string, unknown>;
  if (typeof address === 'string' && typeof prefixLength === 'number') return `${address}/${prefixLength}`;
  if (typeof first === 'string' && typeof last === 'string') return `${first}-${last}`;
  return value;
}
