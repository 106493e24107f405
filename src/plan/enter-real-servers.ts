import { objectRefOf } from '../api/index.ts';
import type { RealServerResource, RealServerSliceResource } from '../api/index.ts';
import { compareByAge, compareText } from './age.ts';
import { joinRealServer } from './real-server-join.ts';
import type { RealServerEntry, RealServerRules } from './real-server-join.ts';
import type { RefusalList } from './refusals.ts';
import type { ServiceDraft, VirtualServiceDraft } from './service-draft.ts';

/** The RealServers behind one VirtualService. */
export interface RealServerGroup {
  readonly realServers: readonly RealServerResource[];
  /** Theirs, in a cluster; undefined: they hold their addresses themselves. */
  readonly slices: readonly RealServerSliceResource[] | undefined;
}

/** A RealServer with thousands of bad endpoints says so once, not thousands of times. */
export const endpointRefusalsMax = 50;

/**
 * Puts the real servers of one VirtualService into its services, and settles who has what two of them want.
 * @returns the RealServer objects that are served, if only in part.
 */
export function enterRealServers(
  draft: VirtualServiceDraft,
  group: RealServerGroup,
  rules: RealServerRules,
  refusals: RefusalList,
): readonly RealServerResource[] {
  if (group.slices === undefined) return enterWhole(draft, group.realServers, rules, refusals);
  return enterEach({ draft, group, rules, refusals }, group.slices);
}

interface JoinedRealServer {
  readonly resource: RealServerResource;
  readonly entries: readonly RealServerEntry[];
}

/** From files: a RealServer enters whole or not at all, and of two that want the same the older one does. */
function enterWhole(
  draft: VirtualServiceDraft,
  realServers: readonly RealServerResource[],
  rules: RealServerRules,
  refusals: RefusalList,
): readonly RealServerResource[] {
  const joined: JoinedRealServer[] = [];
  for (const resource of realServers) {
    const { entries, findings } = joinRealServer(resource, draft, undefined, rules);
    const [first] = findings;
    if (first === undefined) {
      joined.push({ resource, entries });
    } else {
      const { endpoint: _whole, ...finding } = first;
      refusals.refuse(finding);
    }
  }
  if (joined.every(({ entries }) => addEntries(entries) === undefined)) {
    return joined.map(({ resource }) => resource);
  }

  // Two objects want the same real server. Age decides, so everybody enters again in that order.
  for (const { service } of draft.services) service.realServers.clear();
  const served: RealServerResource[] = [];
  for (const { resource, entries } of joined.toSorted((a, b) => compareByAge(a.resource, b.resource))) {
    const conflict = addEntries(entries);
    if (conflict === undefined) served.push(resource);
    else {
      refusals.refuse({
        object: objectRefOf(resource),
        path: ['spec', 'addresses', (resource.spec.addresses ?? []).indexOf(conflict.realServer.key.rip)],
        reason: 'Conflicted',
        message: conflictMessage(conflict),
      });
    }
  }
  return served;
}

/** Adds all or none. @returns the first entry whose place is taken. */
function addEntries(entries: readonly RealServerEntry[]): RealServerEntry | undefined {
  const conflict = entries.find(({ service, key }) => service.service.realServers.has(key));
  if (conflict === undefined) {
    for (const { service, key, realServer } of entries) service.service.realServers.set(key, realServer);
  }
  return conflict;
}

function conflictMessage({ key, service }: RealServerEntry): string {
  return (
    `${key} behind ${service.key} already belongs to RealServer ` +
    `${service.service.realServers.get(key)?.owner.name}; list it in one RealServer.`
  );
}

interface EnterInput {
  readonly draft: VirtualServiceDraft;
  readonly group: RealServerGroup;
  readonly rules: RealServerRules;
  readonly refusals: RefusalList;
}

/** An entry that asks for a place, and whose it is. */
interface Candidate {
  readonly entry: RealServerEntry;
  readonly resource: RealServerResource;
}

/**
 * In a cluster: each endpoint enters alone. Labels move pods from one RealServer to another and slices are written one
 * after the other, so for a moment both have the pod: the one where it serves wins, then the older one. So a pod that
 * moves is never quiesced on the way, and nobody is blamed for what passes.
 */
function enterEach(
  { draft, group, rules, refusals }: EnterInput,
  slices: readonly RealServerSliceResource[],
): readonly RealServerResource[] {
  const places = new Map<ServiceDraft, Map<string, Candidate>>(
    draft.services.map((service) => [service, new Map<string, Candidate>()]),
  );
  const losers: Candidate[] = [];
  const complaints = new Map<RealServerResource, ReturnType<typeof joinRealServer>['findings'][number][]>();
  const bySource = Map.groupBy(slices, ({ spec }) => spec.realServerName);
  for (const resource of group.realServers) {
    const own = bySource.get(resource.metadata.name) ?? [];
    const { entries, findings } = joinRealServer(resource, draft, own, rules);
    complaints.set(resource, [...findings]);
    for (const entry of entries) {
      const place = places.get(entry.service);
      const candidate = { entry, resource };
      const holder = place?.get(entry.key);
      if (holder !== undefined && compareCandidates(holder, candidate) <= 0) {
        losers.push(candidate);
        continue;
      }
      if (holder !== undefined) losers.push(holder);
      place?.set(entry.key, candidate);
    }
  }
  for (const [service, place] of places) fillService(service, place);
  for (const { entry, resource } of losers) {
    const winner = places.get(entry.service)?.get(entry.key);
    if (winner === undefined || winner.resource === resource) continue;
    if (entry.realServer.isDrained || winner.entry.realServer.isDrained) continue;
    complaints.get(resource)?.push({
      object: objectRefOf(resource),
      path: ['spec'],
      reason: 'Conflicted',
      message: conflictMessage(entry),
      endpoint: entry.realServer.key.rip,
    });
  }
  return group.realServers.filter((resource) => tell(resource, complaints.get(resource) ?? [], refusals));
}

/** Serving before draining, then the older RealServer, then the lesser name of the slice: the same on every pass. */
function compareCandidates(a: Candidate, b: Candidate): number {
  return (
    Number(a.entry.realServer.isDrained) - Number(b.entry.realServer.isDrained) ||
    compareByAge(a.resource, b.resource) ||
    compareText(a.entry.source.name, b.entry.source.name)
  );
}

/** Where nobody takes clients, those that are on their way out go on doing so as long as they may. */
function fillService({ service }: ServiceDraft, place: ReadonlyMap<string, Candidate>): void {
  let hasTaker = false;
  for (const [key, { entry }] of place) {
    const { isDrained, config } = entry.realServer;
    hasTaker ||= !isDrained && config.weight > 0;
    service.realServers.set(key, entry.realServer);
  }
  if (hasTaker) return;
  for (const [key, { entry }] of place) {
    const { realServer } = entry;
    if (realServer.lastResort !== undefined)
      service.realServers.set(key, { ...realServer, config: realServer.lastResort, isLastResort: true });
  }
}

/** Passes complaints on, and no more than are of use. @returns whether the RealServer is served, if only in part. */
function tell(
  resource: RealServerResource,
  findings: readonly ReturnType<typeof joinRealServer>['findings'][number][],
  refusals: RefusalList,
): boolean {
  const told = new Set<string>();
  let more = 0;
  let isWhole = true;
  for (const finding of findings) {
    // Every port and every slice makes the same complaint again.
    const text = `${finding.reason} ${finding.message}`;
    if (told.has(text)) continue;
    isWhole &&= finding.endpoint !== undefined;
    if (told.size < endpointRefusalsMax) refusals.refuse(finding);
    else more++;
    told.add(text);
  }
  if (more > 0) {
    refusals.warn({
      object: objectRefOf(resource),
      path: ['spec'],
      reason: 'MoreEndpointsRefused',
      message: `${more} more endpoints of this RealServer are refused.`,
    });
  }
  return isWhole;
}
