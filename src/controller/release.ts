import type { IpAddress } from '../base/index.ts';
import type { ObjectKey } from '../kube/index.ts';
import type { Allocations } from '../plan/index.ts';
import type { ClusterView } from './cluster-view.ts';
import { formatTime } from './conditions.ts';
import { behindHorizon, holdersOf } from './quarantine.ts';
import type { QuarantinedVip } from './quarantine.ts';
import { storedStatus } from './stored-status.ts';
import type { TermMemory, VirtualServiceRecord } from './term-memory.ts';

/**
 * Before a decision: what became of objects that are gone, and of addresses that were waited for. An address of an
 * object that is gone goes into quarantine; one that no director holds any more leaves it.
 */
export function releaseGone(memory: TermMemory, view: ClusterView, nowMs: number): TermMemory {
  const records = new Map<ObjectKey, VirtualServiceRecord>();
  const uids = new Map(view.virtualServices.map(({ entry }) => [entry.key, entry.uid]));
  const gone: [ObjectKey, VirtualServiceRecord][] = [];
  for (const [key, record] of memory.records) {
    if (uids.get(key) === record.uid) records.set(key, record);
    else gone.push([key, record]);
  }
  const held = heldVips(records.values());
  const since = formatTime(nowMs);
  const quarantine = new Map(memory.quarantine);
  for (const [key, { grant }] of gone) {
    for (const { ip } of grant?.addresses ?? []) {
      if (held.has(ip) || quarantine.has(ip)) continue;
      quarantine.set(ip, { ip, since, formerOwner: key, version: view.version });
    }
  }
  for (const [ip, owner] of view.unreadableVips) {
    if (!held.has(ip) && !quarantine.has(ip))
      quarantine.set(ip, { ip, since, formerOwner: owner, version: undefined });
  }
  for (const ip of view.directors.flatMap(({ releasing }) => [...releasing] as IpAddress[])) {
    // What no record tells, the directors do: the version is passed by anything that they report.
    if (!held.has(ip) && !quarantine.has(ip))
      quarantine.set(ip, { ip, since, formerOwner: undefined, version: '0' });
  }
  for (const vip of quarantine.values())
    if (vip.version !== undefined && holdersOf(vip, view.directors).length === 0) quarantine.delete(vip.ip);

  const { horizon } = memory;
  const isBehind = horizon !== undefined && behindHorizon(horizon, view.directors, nowMs).length === 0;
  const isQuarantineSame = isSameMap(quarantine, memory.quarantine);
  return {
    allocations:
      gone.length === 0 && isQuarantineSame
        ? memory.allocations
        : forgetGone(memory.allocations, { gone: new Set(gone.map(([key]) => key)), uids, quarantine }),
    records: gone.length === 0 ? memory.records : records,
    quarantine: isQuarantineSame ? memory.quarantine : quarantine,
    horizon: isBehind ? undefined : horizon,
  };
}

/**
 * After a decision: what objects that are there gave up goes into quarantine, and what somebody has again leaves it.
 * Until no stored status claims the address, directors go on serving it; only then the wait for them begins.
 */
export function releaseDropped(
  before: TermMemory,
  records: ReadonlyMap<ObjectKey, VirtualServiceRecord>,
  view: ClusterView,
  nowMs: number,
): ReadonlyMap<string, QuarantinedVip> {
  const quarantine = new Map(before.quarantine);
  const held = heldVips(records.values());
  for (const ip of held) quarantine.delete(ip);
  const since = formatTime(nowMs);
  for (const [key, { grant }] of before.records) {
    if (grant === undefined || records.get(key)?.grant === grant) continue;
    for (const { ip } of grant.addresses) {
      if (held.has(ip) || quarantine.has(ip)) continue;
      quarantine.set(ip, { ip, since, formerOwner: key, version: undefined });
    }
  }
  const unwritten = [...quarantine.values()].filter(({ version }) => version === undefined);
  if (unwritten.length > 0) {
    const claimed = storedVips(view);
    for (const vip of unwritten)
      if (!claimed.has(vip.ip)) quarantine.set(vip.ip, { ...vip, version: view.version });
  }
  return isSameMap(quarantine, before.quarantine) ? before.quarantine : quarantine;
}

/** Addresses that somebody has been granted. */
export function heldVips(records: Iterable<VirtualServiceRecord>): ReadonlySet<IpAddress> {
  const held = new Set<IpAddress>();
  for (const { grant } of records) for (const { ip } of grant?.addresses ?? []) held.add(ip);
  return held;
}

/** Addresses that some status claims, whoever wrote it: directors go by that. */
function storedVips(view: ClusterView): ReadonlySet<string> {
  const claims = view.virtualServices.flatMap(({ entry }) => storedStatus(entry.object).status.addresses);
  return new Set<string>([...claims.map(({ ip }) => ip), ...view.unreadableVips.keys()]);
}

/** Choices made for objects that are gone. An address stays with its owner's name while nobody else may have it. */
function forgetGone(
  { addresses, marks, portOwners }: Allocations,
  {
    gone,
    uids,
    quarantine,
  }: {
    readonly gone: ReadonlySet<ObjectKey>;
    readonly uids: ReadonlyMap<ObjectKey, string>;
    readonly quarantine: ReadonlyMap<string, QuarantinedVip>;
  },
): Allocations {
  const ownerOf = (key: string, separator: string) => key.slice(0, key.lastIndexOf(separator));
  return {
    addresses: filterRecord(addresses, (key, ip) => uids.has(ownerOf(key, '#')) || quarantine.has(ip)),
    marks: filterRecord(marks, (key) => !gone.has(ownerOf(key, ' '))),
    portOwners: filterRecord(portOwners, (_claim, owner) => !gone.has(owner)),
  };
}

function filterRecord<Value>(
  record: Readonly<Record<string, Value>>,
  isKept: (key: string, value: Value) => boolean,
): Readonly<Record<string, Value>> {
  return Object.fromEntries(Object.entries(record).filter(([key, value]) => isKept(key, value)));
}

function isSameMap<Value>(a: ReadonlyMap<string, Value>, b: ReadonlyMap<string, Value>): boolean {
  if (a.size !== b.size) return false;
  for (const [key, value] of a) if (b.get(key) !== value) return false;
  return true;
}
