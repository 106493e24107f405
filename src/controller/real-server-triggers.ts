import { matchesLabels } from '../api/index.ts';
import { labelIndexValue } from '../cluster/index.ts';
import type { EndpointSliceRecord, NodeRecord, PodRecord } from '../cluster/index.ts';
import { isEqualJson, objectKey } from '../kube/index.ts';
import type { StoreChange } from '../kube/index.ts';
import { anyPodOf } from './indexes.ts';
import type { EndpointStores } from './indexes.ts';
import { asksTheSame } from './virtual-service-needs.ts';

/**
 * Calls with the key of every RealServer that a change may concern, and with all of them once at the beginning. Found by
 * indexes on both sides of the change, before and after: a pod that loses a label concerns those who chose it. Changes
 * of our own slices are told by `SliceView`, which knows what we wrote ourselves.
 *
 * @returns ends it.
 */
export function watchRealServerTriggers(stores: EndpointStores, enqueue: (key: string) => void): () => void {
  const { pods, endpointSlices, realServers, virtualServices, nodes } = stores;
  const enqueueAll = (keys: Iterable<string>): void => {
    for (const key of keys) enqueue(key);
  };
  const subscriptions = [
    realServers.subscribe((change) => {
      if (change.kind === 'listed') return;
      enqueue(change.key);
      // Who is left of a VirtualService may have to serve as its last resort.
      if (change.kind === 'removed') {
        const { namespace } = change.before.metadata;
        enqueueAll(keysBehind(stores, `${namespace}/${change.before.spec.virtualServiceRef.name}`));
      }
    }),
    virtualServices.subscribe((change) => {
      if (change.kind === 'listed') return;
      if (change.kind === 'changed' && asksTheSame(change.before, change.after)) return;
      enqueueAll(keysBehind(stores, change.key));
    }),
    pods.subscribe((change) => {
      if (change.kind === 'changed' && isEqualJson(change.before, change.after)) return;
      for (const pod of sidesOf(change)) enqueueAll(keysOfPod(stores, pod));
    }),
    endpointSlices.subscribe((change) => {
      for (const slice of sidesOf(change)) enqueueAll(keysOfService(stores, slice));
    }),
    nodes.subscribe((change) => {
      const [before, after] =
        change.kind === 'changed' ? [change.before, change.after] : [undefined, ...sidesOf(change)];
      if (after !== undefined && !drainsAlike(before, after)) enqueueAll(keysOnNode(stores, after.name));
    }),
  ];
  enqueueAll(realServers.keys());
  return () => {
    for (const unsubscribe of subscriptions) unsubscribe();
  };
}

/** The RealServers that a pod concerns: those that select it, and those that may take its address for something else. */
export function keysOfPod(stores: EndpointStores, pod: PodRecord): ReadonlySet<string> {
  const { realServers, endpointSlices } = stores;
  const { namespace, name, labels, ips } = pod;
  const pivots = [
    ...Object.entries(labels).map(([key, value]) => labelIndexValue(namespace, key, value)),
    anyPodOf(namespace),
  ];
  const keys = new Set<string>();
  for (const pivot of pivots) {
    for (const { metadata, spec } of realServers.byIndex('selector', pivot)) {
      if (spec.podSelector !== undefined && matchesLabels(spec.podSelector, labels)) {
        keys.add(objectKey(metadata));
      }
    }
  }
  const slices = [
    ...endpointSlices.byIndex('pod', `${namespace}/${name}`),
    ...ips.flatMap((ip) => endpointSlices.byIndex('address', ip)),
  ];
  for (const slice of slices) for (const key of keysOfService(stores, slice)) keys.add(key);
  for (const ip of ips) {
    for (const { metadata } of realServers.byIndex('address', ip)) keys.add(objectKey(metadata));
  }
  return keys;
}

/** A node that is new or gone is one that nobody drains. */
function drainsAlike(before: NodeRecord | undefined, after: NodeRecord): boolean {
  const { isDraining = false, isUnschedulable = false } = before ?? {};
  return isDraining === after.isDraining && isUnschedulable === after.isUnschedulable;
}

/** Nodes are drained rarely enough to look through everything. */
function keysOnNode(stores: EndpointStores, nodeName: string): ReadonlySet<string> {
  const keys = new Set<string>();
  for (const pod of stores.pods.values()) {
    if (pod.nodeName === nodeName) for (const key of keysOfPod(stores, pod)) keys.add(key);
  }
  for (const slice of stores.endpointSlices.values()) {
    if (slice.endpoints.some((endpoint) => endpoint.nodeName === nodeName))
      for (const key of keysOfService(stores, slice)) keys.add(key);
  }
  return keys;
}

function keysOfService(
  { realServers }: EndpointStores,
  { namespace, serviceName }: EndpointSliceRecord,
): readonly string[] {
  if (serviceName === undefined) return [];
  return realServers
    .byIndex('service', `${namespace}/${serviceName}`)
    .map(({ metadata }) => objectKey(metadata));
}

export function keysBehind({ realServers }: EndpointStores, virtualServiceKey: string): readonly string[] {
  return realServers.byIndex('virtualService', virtualServiceKey).map(({ metadata }) => objectKey(metadata));
}

function sidesOf<T>(change: StoreChange<T>): readonly T[] {
  switch (change.kind) {
    case 'added':
      return [change.after];
    case 'changed':
      return [change.before, change.after];
    case 'removed':
      return [change.before];
    case 'malformed':
    case 'listed':
      return [];
  }
}
