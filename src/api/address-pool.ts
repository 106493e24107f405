import type * as z from 'zod';
import { cidr, fields, flag, ipRange, set, text } from './fields.ts';
import type { Immutable } from './immutable.ts';
import { labelSelector, matchesLabels } from './label-selector.ts';
import type { Metadata, apiVersion } from './metadata.ts';

export const addressPoolSpecSchema = fields({
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
      'Namespaces whose VirtualServices and RealServers may use the pool; "*" admits all. Empty, without a ' +
        'namespaceSelector: nobody.',
    ),
  namespaceSelector: labelSelector()
    .optional()
    .describe(
      'Namespaces with these labels may use the pool too. Who may label a namespace decides then who may use it; ' +
        'the label kubernetes.io/metadata.name is always its name. Empty: all namespaces. Needs a cluster.',
    ),
  default: flag()
    .default(false)
    .describe('VirtualServices that name neither an address nor a pool take theirs from here.'),
  realServerCIDRs: set(cidr(), 0, 256)
    .prefault([])
    .describe('Networks that static RealServer addresses of these namespaces may lie in. Empty: none.'),
});

export type AddressPoolSpec = Immutable<z.output<typeof addressPoolSpecSchema>>;

/** An AddressPool as written by an administrator, parsed, with defaults applied. Cluster-wide. */
export interface AddressPoolResource {
  readonly apiVersion: typeof apiVersion;
  readonly kind: 'AddressPool';
  readonly metadata: Metadata;
  readonly spec: AddressPoolSpec;
  readonly status?: Readonly<Record<string, unknown>>;
}

/**
 * Whether VirtualServices and RealServers of a namespace may use the pool: it is listed, or its labels are selected.
 * @param labels of the namespace; undefined: not known, so that no selector admits it.
 */
export function isNamespaceAdmitted(
  { namespaces, namespaceSelector }: Pick<AddressPoolSpec, 'namespaces' | 'namespaceSelector'>,
  namespace: string,
  labels: Readonly<Record<string, string>> | undefined,
): boolean {
  if (namespaces.includes('*') || namespaces.includes(namespace)) return true;
  return namespaceSelector !== undefined && labels !== undefined && matchesLabels(namespaceSelector, labels);
}
