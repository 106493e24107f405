import type { RealServerSliceResource, VirtualServiceResource } from '../api/index.ts';
import { objectKey } from '../kube/index.ts';
import type { ObjectKey } from '../kube/index.ts';
import type { EndpointCounts, RealServerSummary, Refusal } from '../plan/index.ts';
import { describePools } from './address-pool-decision.ts';
import type { AddressPoolDecision } from './address-pool-decision.ts';
import type { ClusterView, Seen } from './cluster-view.ts';
import { FleetHealth } from './fleet-health.ts';
import type { ServiceHealth } from './fleet-health.ts';
import { servesAlike } from './grant.ts';
import type { Grant } from './grant.ts';
import { compareVersions } from './live-directors.ts';
import { DirectorFleet } from './programming.ts';
import type { NeededVersions, Programming } from './programming.ts';
import { releaseDropped, releaseGone } from './release.ts';
import { rememberAllocations } from './remember-allocations.ts';
import { settleVirtualServices } from './settle.ts';
import type { Acceptance, Settlement } from './settle.ts';
import { storedStatus } from './stored-status.ts';
import type { StoredStatus } from './stored-status.ts';
import type { PresentForm, TermMemory, VirtualServiceRecord } from './term-memory.ts';

/** All that the status of a VirtualService says. */
export interface VirtualServiceDecision {
  readonly uid: string;
  readonly generation: number | undefined;
  readonly acceptance: Acceptance;
  readonly grant: Grant | undefined;
  readonly warnings: readonly Refusal[];
  readonly endpoints: EndpointCounts;
  readonly programming: Programming;
  /** Undefined: no director sees a real server failing. */
  readonly health: ServiceHealth | undefined;
}

export interface Decisions {
  readonly virtualServices: ReadonlyMap<ObjectKey, VirtualServiceDecision>;
  readonly addressPools: ReadonlyMap<string, AddressPoolDecision>;
  /** What `plan` says of RealServers. A summary that says what the last one said is the same object. */
  readonly realServers: ReadonlyMap<ObjectKey, RealServerSummary>;
  readonly health: FleetHealth;
  readonly memory: TermMemory;
  /** Wall-clock time at which another decision is due even if nothing happens; undefined: none. */
  readonly wakeAtMs: number | undefined;
}

/**
 * What holds for every VirtualService and AddressPool, from what is stored and what the leader remembers. The same
 * input gives the same answer. Nothing is written here; what differs from the stored statuses is for the shell to write.
 */
export function decide(view: ClusterView, before: TermMemory, nowMs: number): Decisions {
  const memory = releaseGone(before, view, nowMs);
  const { settlements, realServers, allocations: chosen } = settleVirtualServices(view, memory, nowMs);
  const records = rememberServices(view, memory, settlements);
  const quarantine = releaseDropped(memory, records, view, nowMs);
  const allocations = rememberAllocations(view, memory.allocations, chosen, settlements);
  const next: TermMemory = { ...memory, allocations, records, quarantine };

  const fleet = new DirectorFleet(view.directors);
  const health = new FleetHealth(view.directors);
  const versions = new NeededVersionsOfServices(view);
  const virtualServices = new Map<ObjectKey, VirtualServiceDecision>();
  for (const seen of view.virtualServices) {
    const { key, uid, object } = seen.entry;
    const settlement = settlements.get(key);
    const record = records.get(key);
    if (settlement === undefined) continue;
    const wasProgrammed = wasProgrammedBefore(seen, settlement.grant);
    const needed = record?.present && versions.of(seen, record.present, wasProgrammed);
    virtualServices.set(key, {
      uid,
      generation: object.metadata.generation,
      ...settlement,
      programming: fleet.ask({ object: `VirtualService ${key}`, needed, wasProgrammed }),
      health: health.serviceOf(key),
    });
  }
  const isQuarantineNews = quarantine !== memory.quarantine;
  return {
    virtualServices,
    addressPools: describePools(view, next),
    realServers,
    health,
    memory: next,
    // What has just been let go of may be free already, with nobody to report it.
    wakeAtMs: isQuarantineNews ? nowMs : next.horizon?.untilMs,
  };
}

function rememberServices(
  view: ClusterView,
  { records }: TermMemory,
  settlements: ReadonlyMap<ObjectKey, Settlement>,
): ReadonlyMap<ObjectKey, VirtualServiceRecord> {
  const next = new Map<ObjectKey, VirtualServiceRecord>();
  for (const seen of view.virtualServices) {
    const { key, uid } = seen.entry;
    const last = records.get(key);
    const grant = settlements.get(key)?.grant;
    const present = presentForm(seen, grant, last?.present);
    const isSame = last?.uid === uid && last.grant === grant && last.present === present;
    next.set(key, isSame ? last : { uid, grant, present });
  }
  return next;
}

/** Since when the API server has this spec with this grant, which is what directors go by. */
function presentForm(
  seen: Seen<VirtualServiceResource>,
  grant: Grant | undefined,
  last: PresentForm | undefined,
): PresentForm | undefined {
  const { object, resourceVersion } = seen.entry;
  const { generation } = object.metadata;
  if (grant === undefined) return undefined;
  if (last !== undefined && last.generation === generation && last.grant === grant) return last;
  const stored = storedStatus(object);
  if (!isStored(stored, grant)) return undefined;
  // At the beginning of a term: the leader before us has seen it programmed, at some version that we cannot know.
  const isKnown = last === undefined && stored.programmedGeneration === generation;
  return { generation, grant, version: isKnown ? '0' : resourceVersion };
}

function wasProgrammedBefore({ entry }: Seen<VirtualServiceResource>, grant: Grant | undefined): boolean {
  const stored = storedStatus(entry.object);
  const { generation } = entry.object.metadata;
  return stored.programmedGeneration === generation && isStored(stored, grant);
}

/** Whether what is stored is served as what is granted: mostly it is what we wrote, and compared once. */
function isStored(stored: StoredStatus, grant: Grant | undefined): boolean {
  if (grant === undefined || stored.grant === undefined) return grant === stored.grant;
  const last = compared.get(stored);
  if (last?.grant === grant) return last.isSame;
  const isSame = servesAlike(stored.grant, grant);
  compared.set(stored, { grant, isSame });
  return isSame;
}

const compared = new WeakMap<StoredStatus, { readonly grant: Grant; readonly isSame: boolean }>();

/**
 * What must be in the kernels before a VirtualService counts as programmed. The first time that includes its real
 * servers; later on these come and go, and what is in force stays in force.
 */
class NeededVersionsOfServices {
  readonly #view: ClusterView;
  #ofRealServers: ReadonlyMap<ObjectKey, string> | undefined;
  #ofSlices: ReadonlyMap<ObjectKey, string> | undefined;

  constructor(view: ClusterView) {
    this.#view = view;
  }

  of(
    { entry }: Seen<VirtualServiceResource>,
    { version }: PresentForm,
    wasProgrammed: boolean,
  ): NeededVersions {
    if (wasProgrammed) return { virtualServices: version };
    this.#ofRealServers ??= newestVersions(
      this.#view.realServers.map(({ form, specVersion }) => [
        objectKey({ ...form.metadata, name: form.spec.virtualServiceRef.name }),
        specVersion,
      ]),
    );
    this.#ofSlices ??= newestVersions(
      this.#view.realServerSlices.map(({ object, resourceVersion }) => [serviceOf(object), resourceVersion]),
    );
    const realServers = this.#ofRealServers.get(entry.key);
    const realServerSlices = this.#ofSlices.get(entry.key);
    return {
      virtualServices: version,
      ...(realServers === undefined ? {} : { realServers }),
      ...(realServerSlices === undefined ? {} : { realServerSlices }),
    };
  }
}

function serviceOf({ metadata, spec }: RealServerSliceResource): ObjectKey {
  return objectKey({ ...metadata, name: spec.virtualServiceName });
}

function newestVersions(versions: readonly (readonly [ObjectKey, string])[]): ReadonlyMap<ObjectKey, string> {
  const newest = new Map<ObjectKey, string>();
  for (const [key, version] of versions) {
    const last = newest.get(key);
    if (last === undefined || compareVersions(version, last) > 0) newest.set(key, version);
  }
  return newest;
}
