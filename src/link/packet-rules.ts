import { compareIpAddresses, formatCidr, ipToBytes, isInCidr, maskAddress } from '../base/index.ts';
import type { Cidr, IpAddress } from '../base/index.ts';
import type { MssClamp, PacketRules, SourceNatRule, VipClaim } from './types.ts';

/**
 * The normal form of packet rules. Two sets of rules that do the same to every packet are, in this form, equal as
 * data, whatever the order, the overlap or the spelling they were asked for in; rendering and reading back the
 * kernel's chains both speak it.
 */

export const emptyPacketRules: PacketRules = { vips: [], claims: [], sourceNat: [], mssClamps: [] };

const protocolOrder = ['TCP', 'UDP', 'SCTP'] as const;

/** An inclusive range of ports with what holds for it. */
interface PortInterval<T> {
  readonly port: number;
  readonly endPort: number;
  readonly value: T;
}

/**
 * Sorted, without overlap, with neighbouring ports that share everything merged. Where claims overlap, whoever one of
 * them admits is admitted, and a mark wins over none (the lowest of several). A VIP that is claimed is guarded.
 */
export function normalizePacketRules(rules: PacketRules): PacketRules {
  const known = normalForms.get(rules);
  if (known !== undefined) return known;
  const normal = computeNormalForm(rules);
  normalForms.set(rules, normal);
  normalForms.set(normal, normal);
  return normal;
}

/** Every pass compares what is wanted with what was seen; most of the time both are the objects of the last pass. */
const normalForms = new WeakMap<PacketRules, PacketRules>();
const signatures = new WeakMap<PacketRules, string>();

function computeNormalForm(rules: PacketRules): PacketRules {
  const claims = normalizeByVip(
    rules.claims,
    claimValue,
    mergeClaimValues,
    formatClaimValue,
    (vip, protocol, interval) => ({
      vip,
      protocol,
      port: interval.port,
      endPort: interval.endPort,
      sourceRanges: interval.value.sourceRanges,
      mark: interval.value.mark,
    }),
  );
  const sourceNat = normalizeByVip<SourceNatRule, true, SourceNatRule>(
    rules.sourceNat,
    () => true,
    () => true,
    String,
    (vip, protocol, { port, endPort }) => ({ vip, protocol, port, endPort }),
  );
  const mssClamps = normalizeByVip<MssClamp & { protocol: 'TCP' }, number, MssClamp>(
    rules.mssClamps.map((clamp) => ({ ...clamp, protocol: 'TCP' })),
    (clamp) => clamp.mss,
    (a, b) => Math.min(a, b),
    String,
    (vip, _protocol, { port, endPort, value }) => ({ vip, port, endPort, mss: value }),
  );
  const vips = sortBy([...new Set([...rules.vips, ...claims.map((claim) => claim.vip)])], addressKey);
  return { vips, claims, sourceNat, mssClamps };
}

/** True when both do the same to every packet. */
export function isSamePacketRules(a: PacketRules, b: PacketRules): boolean {
  return a === b || computeSignature(normalizePacketRules(a)) === computeSignature(normalizePacketRules(b));
}

function computeSignature(normal: PacketRules): string {
  const known = signatures.get(normal);
  if (known !== undefined) return known;
  const signature = JSON.stringify(normal);
  signatures.set(normal, signature);
  return signature;
}

interface ClaimValue {
  /** Empty: everybody. Sorted, none inside another. */
  readonly sourceRanges: readonly Cidr[];
  readonly mark: number | undefined;
}

function claimValue(claim: VipClaim): ClaimValue {
  return { sourceRanges: normalizeSourceRanges(claim.sourceRanges), mark: claim.mark };
}

function mergeClaimValues(a: ClaimValue, b: ClaimValue): ClaimValue {
  const isOpen = a.sourceRanges.length === 0 || b.sourceRanges.length === 0;
  return {
    sourceRanges: isOpen ? [] : normalizeSourceRanges([...a.sourceRanges, ...b.sourceRanges]),
    mark: a.mark === undefined || b.mark === undefined ? (a.mark ?? b.mark) : Math.min(a.mark, b.mark),
  };
}

function formatClaimValue(value: ClaimValue): string {
  return `${value.mark ?? ''} ${value.sourceRanges.map(formatCidr).join(',')}`;
}

/** A range that holds every address is written as none at all, which is how the kernel shows it too. */
function normalizeSourceRanges(ranges: readonly Cidr[]): readonly Cidr[] {
  if (ranges.length === 0 || ranges.some((range) => range.prefixLength === 0)) return [];
  const sorted = ranges
    .map(({ address, prefixLength }) => ({ address: maskAddress(address, prefixLength), prefixLength }))
    .toSorted((a, b) => compareIpAddresses(a.address, b.address) || a.prefixLength - b.prefixLength);
  const kept: Cidr[] = [];
  for (const range of sorted) {
    // Sorted like this, a range that holds this one is before it, and the last kept one is the only candidate.
    const last = kept.at(-1);
    if (last === undefined || last.prefixLength > range.prefixLength || !isInCidr(range.address, last)) {
      kept.push(range);
    }
  }
  return kept;
}

type ByVip = { readonly vip: IpAddress; readonly protocol: 'TCP' | 'UDP' | 'SCTP' } & Omit<
  PortInterval<unknown>,
  'value'
>;

function normalizeByVip<T extends ByVip, V, R>(
  items: readonly T[],
  valueOf: (item: T) => V,
  merge: (a: V, b: V) => V,
  format: (value: V) => string,
  build: (vip: IpAddress, protocol: T['protocol'], interval: PortInterval<V>) => R,
): R[] {
  const groups = new Map<string, T[]>();
  for (const item of items) {
    const key = `${item.vip} ${item.protocol}`;
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [item]);
    else group.push(item);
  }
  const sorted = sortBy([...groups.values()], ([first]) =>
    first === undefined ? '' : `${addressKey(first.vip)}${protocolOrder.indexOf(first.protocol)}`,
  );
  return sorted.flatMap((group) => {
    const [first] = group;
    if (first === undefined) return [];
    const intervals = group.map((item) => ({ port: item.port, endPort: item.endPort, value: valueOf(item) }));
    return mergeIntervals(intervals, merge, format).map((interval) =>
      build(first.vip, first.protocol, interval),
    );
  });
}

/** Sorts by a key that is computed once per item: comparing addresses themselves would take them apart every time. */
function sortBy<T>(items: readonly T[], keyOf: (item: T) => string): T[] {
  return items
    .map((item) => ({ item, key: keyOf(item) }))
    .toSorted((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0))
    .map(({ item }) => item);
}

/** Text that sorts as `compareIpAddresses` does: IPv4 before IPv6, then by value. */
function addressKey(ip: IpAddress): string {
  let key = ip.includes(':') ? '6' : '4';
  for (const byte of ipToBytes(ip)) key += byte.toString(16).padStart(2, '0');
  return key;
}

/** Cuts overlapping intervals where they begin and end, merges values per piece, then joins equal neighbours. */
function mergeIntervals<V>(
  intervals: readonly PortInterval<V>[],
  merge: (a: V, b: V) => V,
  format: (value: V) => string,
): PortInterval<V>[] {
  const sorted = intervals.toSorted((a, b) => a.port - b.port || a.endPort - b.endPort);
  const pieces: PortInterval<V>[] = [];
  let cluster: PortInterval<V>[] = [];
  let clusterEnd = -1;
  for (const interval of sorted) {
    if (interval.port > clusterEnd) {
      pieces.push(...cutCluster(cluster, merge));
      cluster = [];
    }
    cluster.push(interval);
    clusterEnd = Math.max(clusterEnd, interval.endPort);
  }
  pieces.push(...cutCluster(cluster, merge));

  const joined: PortInterval<V>[] = [];
  for (const piece of pieces) {
    const last = joined.at(-1);
    if (last !== undefined && last.endPort + 1 === piece.port && format(last.value) === format(piece.value)) {
      joined[joined.length - 1] = { ...last, endPort: piece.endPort };
    } else {
      joined.push(piece);
    }
  }
  return joined;
}

/** Intervals that overlap as a chain, so that no port between the first and the last is left out. */
function cutCluster<V>(
  cluster: readonly PortInterval<V>[],
  merge: (a: V, b: V) => V,
): readonly PortInterval<V>[] {
  if (cluster.length <= 1) return cluster;
  const starts = [...new Set(cluster.flatMap(({ port, endPort }) => [port, endPort + 1]))].toSorted(
    (a, b) => a - b,
  );
  const pieces: PortInterval<V>[] = [];
  for (const [index, port] of starts.entries()) {
    const next = starts[index + 1];
    if (next === undefined) break;
    const values = cluster
      .filter((item) => item.port <= port && port <= item.endPort)
      .map((item) => item.value);
    const [first, ...others] = values;
    if (first !== undefined)
      pieces.push({ port, endPort: next - 1, value: others.reduce((a, b) => merge(a, b), first) });
  }
  return pieces;
}
