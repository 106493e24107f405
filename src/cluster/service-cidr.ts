import type { Cidr } from '../base/index.ts';
import type { KubeObject } from '../kube/index.ts';
import { readNetworks } from './networks.ts';
import { fieldsOf, textsOf } from './read-fields.ts';

/** A range that the cluster hands out to Services. */
export interface ServiceCidrRecord {
  readonly name: string;
  readonly cidrs: readonly Cidr[];
}

export function parseServiceCidr({ metadata, spec }: KubeObject): ServiceCidrRecord {
  return { name: metadata.name, cidrs: readNetworks(textsOf(fieldsOf(spec)['cidrs'])) };
}
