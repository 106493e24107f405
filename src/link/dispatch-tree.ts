import { ipBits, ipFamily, ipFromBigInt, ipToBigInt } from '../base/index.ts';
import type { Cidr, IpAddress } from '../base/index.ts';

/**
 * From a packet's address to the chain of its VIP in a few steps. A flat list of a thousand VIPs would be walked rule
 * by rule for every packet that has none of them; a tree of prefixes is left after at most `fanOut` rules a level.
 *
 * ```
 * LVS-GUARD ── 192.0.2.0/27 ──▶ LVS-GUARD-1 ── 192.0.2.1/32 ──▶ LVS-GUARD-2 (the VIP's own chain)
 *           └─ 192.0.2.32/27 ─▶ …
 * ```
 */

/** Address bits that one level decides, and the number of VIPs up to which a chain just lists them. */
const bitsPerLevel = 3;
const fanOut = 1 << bitsPerLevel;

export interface DispatchEntry {
  readonly cidr: Cidr;
  /** Chain to go to. */
  readonly target: string;
}

export interface DispatchTree {
  /** The root first; every inner chain with its entries, in address order. */
  readonly chains: ReadonlyMap<string, readonly DispatchEntry[]>;
  /** The chain of each VIP, in address order. VIPs that are treated alike share one. */
  readonly leaves: ReadonlyMap<IpAddress, string>;
}

/**
 * @param root name of the chain that the tree hangs from; the others are called `root-1`, `root-2`, …
 * @param vips of one family, sorted, without duplicates
 * @param treatmentOf equal for VIPs that may share a chain
 */
export function computeDispatchTree(
  root: string,
  vips: readonly IpAddress[],
  treatmentOf: (vip: IpAddress) => string,
): DispatchTree {
  const chains = new Map<string, DispatchEntry[]>();
  const leaves = new Map<IpAddress, string>();
  const leafNames = new Map<string, string>();
  let count = 0;
  const nextName = () => `${root}-${++count}`;
  const [first] = vips;
  const family = first === undefined ? 'IPv4' : ipFamily(first);
  const bits = ipBits(family);

  const addLeaf = (entries: DispatchEntry[], vip: IpAddress) => {
    const treatment = treatmentOf(vip);
    const target = leafNames.get(treatment) ?? nextName();
    leafNames.set(treatment, target);
    leaves.set(vip, target);
    entries.push({ cidr: { address: vip, prefixLength: bits }, target });
  };
  const build = (name: string, members: readonly Member[]) => {
    const entries: DispatchEntry[] = [];
    chains.set(name, entries);
    for (const { prefixLength, group } of split(members, bits)) {
      const [only] = group;
      if (only === undefined) continue;
      if (group.length === 1) {
        addLeaf(entries, only.vip);
        continue;
      }
      const shift = BigInt(bits - prefixLength);
      const address = ipFromBigInt((only.value >> shift) << shift, family);
      const target = nextName();
      entries.push({ cidr: { address, prefixLength }, target });
      build(target, group);
    }
  };
  build(
    root,
    vips.map((vip) => ({ vip, value: ipToBigInt(vip) })),
  );
  return { chains, leaves };
}

interface Member {
  readonly vip: IpAddress;
  readonly value: bigint;
}

/** Groups by the bits that follow the prefix which all members share; a short list falls apart into its members. */
function split(
  members: readonly Member[],
  bits: number,
): { prefixLength: number; group: readonly Member[] }[] {
  if (members.length <= fanOut) return members.map((member) => ({ prefixLength: bits, group: [member] }));
  const smallest = members[0]?.value ?? 0n;
  const largest = members.at(-1)?.value ?? 0n;
  const sharedLength = bits - (smallest ^ largest).toString(2).length;
  const prefixLength = Math.min(bits, sharedLength + bitsPerLevel);
  const shift = BigInt(bits - prefixLength);
  return [...Map.groupBy(members, (member) => member.value >> shift).values()].map((group) => ({
    prefixLength,
    group,
  }));
}
