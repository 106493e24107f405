import type {
  AddressPoolResource,
  DirectorResource,
  RealServerResource,
  RealServerSliceResource,
  VirtualServiceResource,
} from '../api/index.ts';
import type { Logger } from '../base/index.ts';
import {
  addressPoolType,
  apiServerSlices,
  directorType,
  endpointSliceIndexes,
  endpointSliceType,
  livePods,
  namespaceType,
  nodeType,
  parseApiServerSlice,
  parseEndpointSlice,
  parseNamespace,
  parseNode,
  parserOf,
  parseServiceCidr,
  podIndexes,
  podParser,
  podType,
  realServerSliceType,
  realServerType,
  serviceCidrType,
  virtualServiceType,
  watchKind,
} from '../cluster/index.ts';
import type {
  ApiServerSliceRecord,
  ClusterConnection,
  EndpointSliceIndex,
  EndpointSliceRecord,
  NamespaceRecord,
  NodeRecord,
  PodIndex,
  PodRecord,
  ServiceCidrRecord,
  WatchedKind,
} from '../cluster/index.ts';
import type { ReflectorHealth, ResourceType } from '../kube/index.ts';
import { realServerIndexes, realServerSliceIndexes } from './indexes.ts';
import type { RealServerIndex, RealServerSliceIndex } from './indexes.ts';
import { UnreadableObjects } from './unreadable-objects.ts';

/** Every kind that the controller follows, each in a store that is kept warm while another replica leads. */
export interface ControllerKinds {
  readonly virtualServices: WatchedKind<VirtualServiceResource>;
  readonly realServers: WatchedKind<RealServerResource, RealServerIndex>;
  readonly realServerSlices: WatchedKind<RealServerSliceResource, RealServerSliceIndex>;
  readonly addressPools: WatchedKind<AddressPoolResource>;
  readonly directors: WatchedKind<DirectorResource>;
  readonly pods: WatchedKind<PodRecord, PodIndex>;
  readonly endpointSlices: WatchedKind<EndpointSliceRecord, EndpointSliceIndex>;
  readonly nodes: WatchedKind<NodeRecord>;
  readonly namespaces: WatchedKind<NamespaceRecord>;
  readonly serviceCidrs: WatchedKind<ServiceCidrRecord>;
  readonly apiServerSlices: WatchedKind<ApiServerSliceRecord>;
}

export interface UnreadableKinds {
  readonly virtualServices: UnreadableObjects;
  readonly addressPools: UnreadableObjects;
}

export interface WatchedCluster {
  readonly kinds: ControllerKinds;
  readonly unreadable: UnreadableKinds;
}

export function watchControllerKinds(connection: ClusterConnection, logger: Logger): WatchedCluster {
  const unreadable = { virtualServices: new UnreadableObjects(), addressPools: new UnreadableObjects() };
  const basics = (type: ResourceType) => ({
    connection,
    type,
    logger,
    onHealth: (health: ReflectorHealth) => reportHealth(type, health, logger),
  });
  const kinds = {
    virtualServices: watchKind({
      ...basics(virtualServiceType),
      parse: unreadable.virtualServices.remember(parserOf('VirtualService')),
    }),
    realServers: watchKind({
      ...basics(realServerType),
      parse: parserOf('RealServer'),
      indexes: realServerIndexes,
    }),
    realServerSlices: watchKind({
      ...basics(realServerSliceType),
      parse: parserOf('RealServerSlice'),
      indexes: realServerSliceIndexes,
    }),
    addressPools: watchKind({
      ...basics(addressPoolType),
      parse: unreadable.addressPools.remember(parserOf('AddressPool')),
    }),
    directors: watchKind({ ...basics(directorType), parse: parserOf('Director') }),
    pods: watchKind({ ...basics(podType), ...livePods, parse: podParser(), indexes: podIndexes }),
    endpointSlices: watchKind({
      ...basics(endpointSliceType),
      parse: parseEndpointSlice,
      indexes: endpointSliceIndexes,
    }),
    nodes: watchKind({ ...basics(nodeType), parse: parseNode }),
    namespaces: watchKind({ ...basics(namespaceType), parse: parseNamespace }),
    serviceCidrs: watchKind({ ...basics(serviceCidrType), parse: parseServiceCidr }),
    apiServerSlices: watchKind({
      ...basics(endpointSliceType),
      ...apiServerSlices,
      parse: parseApiServerSlice,
    }),
  };
  return { kinds, unreadable };
}

export function startKinds(kinds: ControllerKinds): void {
  for (const kind of Object.values(kinds) as WatchedKind<unknown>[]) kind.start();
}

export async function stopKinds(kinds: ControllerKinds): Promise<void> {
  await Promise.all((Object.values(kinds) as WatchedKind<unknown>[]).map((kind) => kind.stop()));
}

/**
 * Resolves when each store has been filled once. ServiceCIDRs are not waited for: before Kubernetes 1.33 there is no
 * such kind.
 * @throws the signal's reason
 */
export async function whenKindsSynced(kinds: ControllerKinds, signal: AbortSignal): Promise<void> {
  const { serviceCidrs: _optional, ...required } = kinds;
  await Promise.all(Object.values(required).map(({ store }) => store.whenSynced(signal)));
}

/** Whether `whenKindsSynced` has resolved. */
export function areKindsSynced(kinds: ControllerKinds): boolean {
  const { serviceCidrs: _optional, ...required } = kinds;
  return Object.values(required).every(({ store }) => store.state.kind === 'synced');
}

/**
 * Lists kinds anew and resolves when their stores have taken that in: what they hold is then at least as new as the call.
 * @throws the signal's reason
 */
export async function relist(
  kinds: readonly Pick<WatchedKind<unknown>, 'store' | 'start' | 'stop'>[],
  signal: AbortSignal,
): Promise<void> {
  await Promise.all(
    kinds.map(async (kind) => {
      const { store } = kind;
      await kind.stop();
      const listed = new Promise<void>((resolve, reject) => {
        const end = (settle: () => void) => () => {
          unsubscribe();
          signal.removeEventListener('abort', abort);
          settle();
        };
        const unsubscribe = store.subscribe((change) => {
          if (change.kind === 'listed') end(resolve)();
        });
        const abort = end(() => reject(signal.reason));
        signal.addEventListener('abort', abort, { once: true });
        if (signal.aborted) abort();
      });
      kind.start();
      await listed;
    }),
  );
}

/** For people: what the API server refuses is a matter of an installation. The reflector says the rest, and tries on. */
function reportHealth(type: ResourceType, health: ReflectorHealth, logger: Logger): void {
  if (health.kind !== 'degraded' || type === serviceCidrType) return;
  const { kind } = type;
  if (health.code === 'LVS_KUBE_NOT_FOUND')
    logger.error('the API server has no such kind; apply the CustomResourceDefinitions of lvs-operator', {
      kind,
    });
  if (health.code === 'LVS_KUBE_DENIED')
    logger.error('the API server does not let the controller read this kind; its role needs list and watch', {
      kind,
    });
}
