import { readFileSync } from 'node:fs';
import { open, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { formatCidr, parseCidr, parseIpAddress } from '../base/index.ts';
import type { Logger } from '../base/index.ts';
import { formatObjectRef, objectRefOf, parseResource } from '../api/index.ts';
import type { RealServerSliceResource, Resource } from '../api/index.ts';
import { groupResources } from '../manifests/index.ts';
import type { ManifestObject } from '../manifests/index.ts';
import type { ClusterFacts, NamespaceLabels, Resources } from '../plan/index.ts';
import { readableBefore } from './last-good-before.ts';
import { writeFileAtomically } from './ledger.ts';

const lastGoodFile = 'last-good.json';
/** Raised when a field changes its meaning. The list of entries without a version, that came before, is read too. */
const schemaVersion = 2;
/** Edits come in bursts, and nothing but a restart reads this file: it waits for a quiet moment, but not for ever. */
const quietMs = 1000;
const longestDelayMs = 5000;

/** What an earlier process served by. */
export interface LastGood {
  /** By `formatObjectRef`. */
  readonly objects: ReadonlyMap<string, ManifestObject>;
  /** The same by kind, with what only a cluster has. */
  readonly resources: Resources;
  readonly cluster: ClusterFacts | undefined;
}

/** What is in force. */
export interface LastGoodState {
  readonly accepted: Resources;
  /** The view that it comes from: slices and labels are served as they are, so nobody accepts them. */
  readonly view: Resources;
  readonly cluster: ClusterFacts | undefined;
  readonly fileOf: (object: Resource) => string | undefined;
}

/**
 * The last accepted form of every object, on disk: what a restarted director serves in place of what has become
 * unreadable or refused in the meantime, and of an API server that is away.
 */
export class LastGoodStore {
  readonly #path: string;
  readonly #logger: Logger;
  #pending: LastGoodState | undefined;
  #timer: NodeJS.Timeout | undefined;
  #latest: NodeJS.Timeout | undefined;
  #writing: Promise<void> = Promise.resolve();
  readonly #texts = new WeakMap<Resource, { readonly file: string; readonly text: string }>();
  #saved: LastGoodState | undefined;

  constructor(stateDirectory: string, logger: Logger) {
    this.#path = join(stateDirectory, lastGoodFile);
    this.#logger = logger;
  }

  /** Empty when there is no file or it does not read: it is a help, not a truth. */
  load(): LastGood {
    let document: unknown;
    try {
      document = JSON.parse(readFileSync(this.#path, 'utf8'));
    } catch {
      return readLastGood({});
    }
    if (Array.isArray(document)) return readLastGood({ objects: document });
    const { schemaVersion: version, ...body } = document instanceof Object ? (document as Body) : {};
    return readLastGood(version === schemaVersion ? body : {});
  }

  /** Saves soon, and only if it is not what was saved last. */
  saveSoon(state: LastGoodState): void {
    if (isSameState(state, this.#pending ?? this.#saved)) return;
    this.#pending = state;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#save(), quietMs);
    this.#latest ??= setTimeout(() => void this.#save(), longestDelayMs);
  }

  /** Writes what is pending, now. */
  async flush(): Promise<void> {
    await this.#writing;
    const state = this.#takePending();
    if (state === undefined) return;
    try {
      writeFileAtomically(this.#path, this.#format(state));
    } catch (error) {
      this.#logger.warn('last good state not saved', { error });
    }
  }

  #takePending(): LastGoodState | undefined {
    clearTimeout(this.#timer);
    clearTimeout(this.#latest);
    this.#timer = undefined;
    this.#latest = undefined;
    const state = this.#pending;
    this.#pending = undefined;
    return state;
  }

  /** A disk may take its time for a few megabytes, and changes must not wait for it: so this is no synchronous write. */
  async #save(): Promise<void> {
    const state = this.#takePending();
    if (state === undefined) return;
    this.#saved = state;
    const before = this.#writing;
    this.#writing = before.then(async () => {
      try {
        await replaceFile(this.#path, this.#format(state));
      } catch (error) {
        this.#saved = undefined;
        this.#logger.warn('last good state not saved', { error });
      }
    });
    await this.#writing;
  }

  #format({ accepted, view, cluster, fileOf }: LastGoodState): string {
    const resources: readonly Resource[] = [
      ...accepted.addressPools,
      ...accepted.virtualServices,
      ...accepted.realServers,
      ...(view.realServerSlices ?? []),
    ];
    const objects = resources.map((resource) => this.#formatObject(resource, fileOf(resource) ?? ''));
    const more = {
      ...(view.namespaceLabels === undefined
        ? {}
        : { namespaceLabels: Object.fromEntries(view.namespaceLabels) }),
      ...(cluster === undefined ? {} : { cluster: formatClusterFacts(cluster) }),
    };
    const tail = JSON.stringify(more).slice(1, -1);
    return `{"schemaVersion":${schemaVersion},"objects":[${objects.join(',\n')}]${tail === '' ? '' : `,\n${tail}`}}\n`;
  }

  /** Objects stay the same objects until they are edited, so each is put into words once. */
  #formatObject(resource: Resource, file: string): string {
    const known = this.#texts.get(resource);
    if (known?.file === file) return known.text;
    const text = readableBefore(resource)
      .map((form) => JSON.stringify({ file, resource: form }, writeNetworksAsText))
      .join(',\n');
    this.#texts.set(resource, { file, text });
    return text;
  }
}

interface Body {
  readonly schemaVersion?: unknown;
  readonly objects?: unknown;
  readonly namespaceLabels?: unknown;
  readonly cluster?: unknown;
}

function isSameState(a: LastGoodState, b: LastGoodState | undefined): boolean {
  return (
    b !== undefined &&
    a.accepted === b.accepted &&
    a.view.realServerSlices === b.view.realServerSlices &&
    a.view.namespaceLabels === b.view.namespaceLabels &&
    a.cluster === b.cluster
  );
}

/** What does not read is left out, one by one. Of two forms of one object the last one counts. */
function readLastGood({ objects: entries, namespaceLabels, cluster }: Body): LastGood {
  const objects = new Map<string, ManifestObject>();
  const realServerSlices: RealServerSliceResource[] = [];
  for (const entry of Array.isArray(entries) ? (entries as unknown[]) : []) {
    if (!(entry instanceof Object)) continue;
    const { file, resource } = entry as { file?: unknown; resource?: unknown };
    // A later version may have written it, before somebody went back to this one. And a slice says by whom it is controlled,
    // which is read of owner references otherwise, and of no interest to a director.
    const parsed = parseResource(resource, { unknownFields: 'ignore' });
    if (!parsed.ok || typeof file !== 'string') continue;
    const ref = objectRefOf(parsed.resource);
    objects.set(formatObjectRef(ref), {
      ref,
      resource: parsed.resource,
      file,
      locate: () => ({ file, line: 1, column: 1 }),
    });
    if (parsed.resource.kind === 'RealServerSlice') realServerSlices.push(parsed.resource);
  }
  const facts = readClusterFacts(cluster);
  return {
    objects,
    resources: {
      ...groupResources(objects.values()),
      ...(facts === undefined
        ? {}
        : { realServerSlices, namespaceLabels: readNamespaceLabels(namespaceLabels) }),
    },
    cluster: facts,
  };
}

function readNamespaceLabels(value: unknown): NamespaceLabels {
  const labels = new Map<string, Readonly<Record<string, string>>>();
  for (const [namespace, map] of Object.entries(value instanceof Object ? value : {})) {
    if (map instanceof Object) labels.set(namespace, map as Readonly<Record<string, string>>);
  }
  return labels;
}

function formatClusterFacts(facts: ClusterFacts): Record<keyof ClusterFacts, readonly string[]> {
  return {
    nodeAddresses: facts.nodeAddresses,
    podCidrs: facts.podCidrs.map(formatCidr),
    serviceCidrs: facts.serviceCidrs.map(formatCidr),
    apiServerAddresses: facts.apiServerAddresses,
  };
}

/** Undefined as a whole when any of it does not read: half of what is forbidden would look like all of it. */
function readClusterFacts(value: unknown): ClusterFacts | undefined {
  if (!(value instanceof Object)) return undefined;
  const texts = (name: keyof ClusterFacts): readonly string[] =>
    ((value as Record<string, unknown>)[name] as readonly string[]).map(String);
  try {
    return {
      nodeAddresses: texts('nodeAddresses').map(parseIpAddress),
      podCidrs: texts('podCidrs').map(parseCidr),
      serviceCidrs: texts('serviceCidrs').map(parseCidr),
      apiServerAddresses: texts('apiServerAddresses').map(parseIpAddress),
    };
  } catch {
    return undefined;
  }
}

/** As `writeFileAtomically`, without holding up anybody. */
async function replaceFile(path: string, content: string): Promise<void> {
  const temporary = `${path}.new`;
  const file = await open(temporary, 'w', 0o600);
  try {
    await file.writeFile(content);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(temporary, path);
}

/** Parsing made objects of networks and ranges; as text again, the entry reads like the manifest that it came from. */
function writeNetworksAsText(_key: string, value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  const { address, prefixLength, first, last } = value as Record<string, unknown>;
  if (typeof address === 'string' && typeof prefixLength === 'number') return `${address}/${prefixLength}`;
  if (typeof first === 'string' && typeof last === 'string') return `${first}-${last}`;
  return value;
}
