import type * as z from 'zod';
import { cidr, fields, flag, ipRange, set, text } from './fields.ts';
import type { Immutable } from './immutable.ts';
import type { Metadata, apiVersion } from './metadata.ts';

export const addressPoolSpecSchema = fields(
  {
    addresses: set(ipRange(), 0, 256)
      .prefault([])
      .describe(
        'Virtual addresses of the pool: networks (192.0.2.0/24) or ranges (192.0.2.10-192.0.2.20). Every address of a network is usable.',
      ),
    namespaces: set(
      text('the name of a namespace, or "*" for all', /^(\*|[a-z0-9]([-a-z0-9]*[a-z0-9])?)$/, 63),
      0,
      256,
    )
      .default([])
      .describe(
        'Namespaces whose VirtualServices and RealServers may use the pool; "*" admits all. Empty: nobody.',
      ),
    default: flag()
      .default(false)
      .describe('VirtualServices that name neither an address nor a pool take theirs from here.'),
    realServerCIDRs: set(cidr(), 0, 256)
      .prefault([])
      .describe('Networks that static RealServer addresses of these namespaces may lie in. Empty: none.'),
  },
  {
    namespaceSelector: 'needs a cluster, and this director runs from files: list the names under namespaces',
  },
);

export type AddressPoolSpec = Immutable<z.output<typeof addressPoolSpecSchema>>;

/** An AddressPool as written by an administrator, parsed, with defaults applied. Cluster-wide. */
export interface AddressPoolResource {
  readonly apiVersion: typeof apiVersion;
  readonly kind: 'AddressPool';
  readonly metadata: Metadata;
  readonly spec: AddressPoolSpec;
  readonly status?: Readonly<Record<string, unknown>>;
}

/** Whether VirtualServices and RealServers of a namespace may use the pool. */
export function isNamespaceAdmitted(pool: AddressPoolSpec, namespace: string): boolean {
  return pool.namespaces.includes('*') || pool.namespaces.includes(namespace);
}
