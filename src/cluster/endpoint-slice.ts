import { tryParseIpAddress } from '../base/index.ts';
import type { IpAddress } from '../base/index.ts';
import type { KubeObject } from '../kube/index.ts';
import { fieldsOf, listOf, textOf, textsOf } from './read-fields.ts';
import type { Fields } from './read-fields.ts';

/** A part of the endpoints of a Service, without what only kube-proxy needs. */
export interface EndpointSliceRecord {
  readonly namespace: string;
  readonly name: string;
  /** Undefined: it belongs to no Service. */
  readonly serviceName: string | undefined;
  /** FQDN: its endpoints are host names, which the kernel cannot balance; none is read. */
  readonly addressType: 'IPv4' | 'IPv6' | 'FQDN';
  /** Names are empty for the only port of a Service without one. */
  readonly ports: readonly EndpointPort[];
  readonly endpoints: readonly EndpointRecord[];
}

export interface EndpointPort {
  readonly name: string;
  readonly protocol: string;
  /** Undefined: every port. */
  readonly port: number | undefined;
}

export interface EndpointRecord {
  /** The first of its addresses: the API gives no meaning to others, and Kubernetes writes none. */
  readonly address: IpAddress;
  /** Serving and not terminating, or published whatever its state (`publishNotReadyAddresses`). */
  readonly isReady: boolean;
  /** Ready, whether terminating or not (KEP-1672). */
  readonly isServing: boolean;
  readonly isTerminating: boolean;
  readonly target: EndpointTarget | undefined;
  readonly nodeName: string | undefined;
}

/** The object behind an endpoint, as whoever wrote the slice says: a claim, to be compared with the object. */
export interface EndpointTarget {
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  readonly uid: string | undefined;
}

export const serviceNameLabel = 'kubernetes.io/service-name';

export function parseEndpointSlice(object: KubeObject): EndpointSliceRecord {
  const { metadata, addressType, ports, endpoints } = object;
  const namespace = metadata.namespace ?? '';
  return {
    namespace,
    name: metadata.name,
    serviceName: textOf(fieldsOf(metadata['labels'])[serviceNameLabel]),
    addressType: addressType === 'IPv6' || addressType === 'FQDN' ? addressType : 'IPv4',
    ports: listOf(ports).map((port) => parsePort(fieldsOf(port))),
    endpoints:
      addressType === 'FQDN'
        ? []
        : listOf(endpoints).flatMap((endpoint) => parseEndpoint(fieldsOf(endpoint), namespace) ?? []),
  };
}

function parsePort({ name, protocol, port }: Fields): EndpointPort {
  return {
    name: textOf(name) ?? '',
    protocol: textOf(protocol) ?? 'TCP',
    port: typeof port === 'number' ? port : undefined,
  };
}

/** What is not said: ready means yes, serving means as ready says, terminating means no (discovery.k8s.io/v1). */
function parseEndpoint(
  { addresses, conditions, targetRef, nodeName }: Fields,
  namespace: string,
): EndpointRecord | undefined {
  const address = tryParseIpAddress(textsOf(addresses)[0] ?? '');
  if (address === undefined) return undefined;
  const { ready, serving, terminating } = fieldsOf(conditions);
  const isReady = ready !== false;
  return {
    address,
    isReady,
    isServing: typeof serving === 'boolean' ? serving : isReady,
    isTerminating: terminating === true,
    target: parseTarget(fieldsOf(targetRef), namespace),
    nodeName: textOf(nodeName),
  };
}

function parseTarget(
  { kind, namespace, name, uid }: Fields,
  ownNamespace: string,
): EndpointTarget | undefined {
  if (typeof kind !== 'string' || typeof name !== 'string') return undefined;
  return { kind, namespace: textOf(namespace) ?? ownNamespace, name, uid: textOf(uid) };
}

export type EndpointSliceIndex = 'service' | 'pod' | 'address';

/**
 * How slices are found: by `namespace/name` of their Service, of a pod that they point at, and by an address that
 * stands in them without a pod.
 */
export const endpointSliceIndexes: Readonly<
  Record<EndpointSliceIndex, (slice: EndpointSliceRecord) => readonly string[]>
> = {
  service: ({ namespace, serviceName }) => (serviceName === undefined ? [] : [`${namespace}/${serviceName}`]),
  pod: ({ endpoints }) =>
    endpoints.flatMap(({ target }) => (target?.kind === 'Pod' ? [`${target.namespace}/${target.name}`] : [])),
  address: ({ endpoints }) =>
    endpoints.flatMap(({ address, target }) => (target?.kind === 'Pod' ? [] : [address])),
};
