import { compareIpAddresses, ipFamily, ipFromBigInt, ipToBigInt } from '../base/index.ts';
import type { IpAddress, IpFamily } from '../base/index.ts';
import { isNamespaceAdmitted } from '../api/index.ts';
import type { AddressPoolResource } from '../api/index.ts';
import { compareText } from './age.ts';
import { ipSet } from './ip-set.ts';
import { isSameList } from './same-list.ts';
import type { IpSet } from './ip-set.ts';
import type { NamespaceLabels } from './types.ts';

/** An AddressPool, ready to be asked. */
export interface Pool {
  readonly name: string;
  readonly isDefault: boolean;
  readonly addresses: IpSet;
  admits(namespace: string): boolean;
  /** Addresses of a family in ascending order, from the first range to the last; lazily, as pools may be huge. */
  ascending(family: IpFamily): Iterable<IpAddress>;
}

export interface Pools {
  /** By name, in code-unit order: the first default pool that admits a namespace is the same on every pass. */
  readonly list: readonly Pool[];
  get(name: string): Pool | undefined;
  /** The networks that static real servers of a namespace may lie in: the union over the pools that admit it. */
  realServerSet(namespace: string): IpSet;
}

export function compilePools(
  resources: readonly AddressPoolResource[],
  labels: NamespaceLabels | undefined,
): Pools {
  const sorted = resources.toSorted((a, b) => compareText(a.metadata.name, b.metadata.name));
  const list = sorted.map((resource) => compilePool(resource, labels));
  const byName = new Map(list.map((pool) => [pool.name, pool]));
  const realServerSets = new Map<string, IpSet>();
  return {
    list,
    get: (name) => byName.get(name),
    realServerSet: (namespace) => {
      const known = realServerSets.get(namespace);
      if (known !== undefined) return known;
      const admitting = sorted.filter(({ spec }) =>
        isNamespaceAdmitted(spec, namespace, labels?.get(namespace)),
      );
      const set = ipSet(admitting.flatMap(({ spec }) => spec.realServerCIDRs));
      realServerSets.set(namespace, set);
      return set;
    },
  };
}

function compilePool({ metadata, spec }: AddressPoolResource, labels: NamespaceLabels | undefined): Pool {
  return {
    name: metadata.name,
    isDefault: spec.default,
    addresses: ipSet([], spec.addresses),
    admits: (namespace) => isNamespaceAdmitted(spec, namespace, labels?.get(namespace)),
    *ascending(family) {
      const ranges = spec.addresses
        .filter(({ first }) => ipFamily(first) === family)
        .toSorted((a, b) => compareIpAddresses(a.first, b.first));
      for (const { first, last } of ranges) {
        const end = ipToBigInt(last);
        for (let value = ipToBigInt(first); value <= end; value++) yield ipFromBigInt(value, family);
      }
    },
  };
}

/**
 * `pool namespace` of every namespace that a selector admits, in a fixed order: all that labels have a say in. What
 * rests on pools is made anew when this changes, and not whenever somebody labels a namespace.
 */
export function selectorAdmissions(
  pools: readonly AddressPoolResource[],
  labels: NamespaceLabels | undefined,
): readonly string[] {
  if (labels === undefined) return noAdmissions;
  const known = admissionsOf.get(labels);
  if (known !== undefined && isSameList(known.pools, pools)) return known.admissions;
  const admissions = pools.flatMap(({ metadata, spec }) =>
    spec.namespaceSelector === undefined
      ? []
      : [...labels]
          .filter(([namespace, of]) => isNamespaceAdmitted(spec, namespace, of))
          .map(([namespace]) => `${metadata.name} ${namespace}`),
  );
  admissions.sort(compareText);
  admissionsOf.set(labels, { pools, admissions });
  return admissions;
}

const noAdmissions: readonly string[] = [];
const admissionsOf = new WeakMap<
  NamespaceLabels,
  { readonly pools: readonly AddressPoolResource[]; readonly admissions: readonly string[] }
>();
