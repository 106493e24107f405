import { compareIpAddresses, ipFamily, ipFromBigInt, ipToBigInt } from '../base/index.ts';
import type { IpAddress, IpFamily } from '../base/index.ts';
import { isNamespaceAdmitted } from '../api/index.ts';
import type { AddressPoolResource } from '../api/index.ts';
import { compareText } from './age.ts';
import { ipSet } from './ip-set.ts';
import type { IpSet } from './ip-set.ts';

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

export function compilePools(resources: readonly AddressPoolResource[]): Pools {
  const sorted = resources.toSorted((a, b) => compareText(a.metadata.name, b.metadata.name));
  const list = sorted.map(compilePool);
  const byName = new Map(list.map((pool) => [pool.name, pool]));
  const realServerSets = new Map<string, IpSet>();
  return {
    list,
    get: (name) => byName.get(name),
    realServerSet: (namespace) => {
      const known = realServerSets.get(namespace);
      if (known !== undefined) return known;
      const admitting = sorted.filter(({ spec }) => isNamespaceAdmitted(spec, namespace, undefined));
      const set = ipSet(admitting.flatMap(({ spec }) => spec.realServerCIDRs));
      realServerSets.set(namespace, set);
      return set;
    },
  };
}

function compilePool({ metadata, spec }: AddressPoolResource): Pool {
  return {
    name: metadata.name,
    isDefault: spec.default,
    addresses: ipSet([], spec.addresses),
    admits: (namespace) => isNamespaceAdmitted(spec, namespace, undefined),
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
