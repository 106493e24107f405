import type { IpAddress } from '../base/index.ts';
import type { KubeObject, ListOptions } from '../kube/index.ts';
import { readAddresses } from './networks.ts';
import { fieldsOf, listOf, textsOf } from './read-fields.ts';

/** Selects the EndpointSlices in which the API servers announce themselves. */
export const apiServerSlices: ListOptions = {
  namespace: 'default',
  labelSelector: 'kubernetes.io/service-name=kubernetes',
};

export interface ApiServerSliceRecord {
  readonly name: string;
  readonly addresses: readonly IpAddress[];
}

export function parseApiServerSlice({ metadata, endpoints }: KubeObject): ApiServerSliceRecord {
  return {
    name: metadata.name,
    addresses: readAddresses(
      listOf(endpoints).flatMap((endpoint) => textsOf(fieldsOf(endpoint)['addresses'])),
    ),
  };
}
