import type {
  AddressPoolResource,
  RealServerResource,
  RealServerSliceResource,
  VirtualServiceResource,
} from '../api/index.ts';
import type { Logger } from '../base/index.ts';
import {
  addressPoolType,
  apiServerSlices,
  endpointSliceType,
  namespaceType,
  nodeType,
  parseApiServerSlice,
  parseNamespace,
  parseNode,
  parserOf,
  parseServiceCidr,
  realServerSliceType,
  realServerType,
  serviceCidrType,
  virtualServiceType,
  watchKind,
} from '../cluster/index.ts';
import type {
  ApiServerSliceRecord,
  ClusterConnection,
  NamespaceRecord,
  NodeRecord,
  ServiceCidrRecord,
  WatchedKind,
} from '../cluster/index.ts';
import { isEqualJson, objectKey } from '../kube/index.ts';
import type { KubeObject, ListOptions, ReflectorHealth, ResourceType } from '../kube/index.ts';
import type { LastGood } from './last-good.ts';

/** Every kind that a director follows. */
export interface ClusterKinds {
  readonly virtualServices: WatchedKind<VirtualServiceResource>;
  readonly realServers: WatchedKind<RealServerResource>;
  readonly realServerSlices: WatchedKind<RealServerSliceResource>;
  readonly addressPools: WatchedKind<AddressPoolResource>;
  readonly namespaces: WatchedKind<NamespaceRecord>;
  readonly nodes: WatchedKind<NodeRecord>;
  readonly serviceCidrs: WatchedKind<ServiceCidrRecord>;
  readonly apiServerSlices: WatchedKind<ApiServerSliceRecord>;
}

export interface ClusterKindsOptions {
  readonly connection: ClusterConnection;
  readonly logger: Logger;
  /** What an earlier process knew: an API server that says that nothing of it exists has to say so twice. */
  readonly remembered: Pick<LastGood, 'resources'>;
  readonly onHealth: (type: ResourceType, health: ReflectorHealth) => void;
}

/** The kinds, not yet followed: `start` each of them. */
export function watchClusterKinds(options: ClusterKindsOptions): ClusterKinds {
  const { remembered } = options;
  /** Much is written that says nothing new to a director: then the record before stays the record. */
  const watch = <T>(
    type: ResourceType,
    parse: (object: KubeObject) => T,
    more: ListOptions & { readonly expectsEntries?: () => boolean } = {},
  ): WatchedKind<T> => {
    const kind: WatchedKind<T> = watchKind<T>({
      connection: options.connection,
      type,
      parse: (object) => sameOr(kind.store.get(objectKey(object.metadata)), parse(object)),
      logger: options.logger,
      onHealth: (health) => options.onHealth(type, health),
      ...more,
    });
    return kind;
  };
  const watchOwn = <T extends SlimResource>(
    type: ResourceType,
    parse: (object: KubeObject) => T,
    known: readonly unknown[] | undefined,
  ): WatchedKind<T> =>
    watch<T>(type, (object) => slim(parse(object)), { expectsEntries: () => (known?.length ?? 0) > 0 });
  const { resources } = remembered;
  return {
    virtualServices: watchOwn(virtualServiceType, parserOf('VirtualService'), resources.virtualServices),
    realServers: watchOwn(realServerType, parserOf('RealServer'), resources.realServers),
    realServerSlices: watchOwn(realServerSliceType, parserOf('RealServerSlice'), resources.realServerSlices),
    addressPools: watchOwn(addressPoolType, parserOf('AddressPool'), resources.addressPools),
    namespaces: watch(namespaceType, parseNamespace),
    nodes: watch(nodeType, parseNode),
    serviceCidrs: watch(serviceCidrType, parseServiceCidr),
    apiServerSlices: watch(endpointSliceType, parseApiServerSlice, apiServerSlices),
  };
}

export function clusterKindList(kinds: ClusterKinds): readonly WatchedKind<unknown>[] {
  return Object.values<WatchedKind<unknown>>({ ...kinds });
}

interface SlimResource {
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string | undefined;
    readonly uid?: string;
    readonly creationTimestamp?: string;
  };
  readonly spec: unknown;
  readonly status?: Readonly<Record<string, unknown>>;
}

/** Without what a director never reads: the store holds thousands of these for months. */
function slim<T extends SlimResource>(resource: T): T {
  const { name, namespace, uid, creationTimestamp } = resource.metadata;
  const { addresses, ports } = resource.status ?? {};
  const { status: _whole, ...rest } = resource;
  return {
    ...(rest as T),
    metadata: {
      name,
      ...(namespace === undefined ? {} : { namespace }),
      ...(uid === undefined ? {} : { uid }),
      ...(creationTimestamp === undefined ? {} : { creationTimestamp }),
    },
    // Of all statuses only that of a VirtualService says anything that counts here.
    ...(resource.kind === 'VirtualService' && addresses !== undefined && ports !== undefined
      ? { status: { addresses, ports } }
      : {}),
  };
}

/** What is known already, when it says the same. */
function sameOr<T>(known: T | undefined, found: T): T {
  return known !== undefined && isEqualJson(known, found) ? known : found;
}
