import type {
  LabelSelector,
  RealServerResource,
  RealServerSliceResource,
  VirtualServiceResource,
} from '../api/index.ts';
import { labelIndexValue } from '../cluster/index.ts';
import type {
  EndpointSliceIndex,
  EndpointSliceRecord,
  NodeRecord,
  PodIndex,
  PodRecord,
} from '../cluster/index.ts';
import type { ReadableStore } from '../kube/index.ts';

export type RealServerIndex = 'virtualService' | 'selector' | 'service' | 'address';
export type RealServerSliceIndex = 'realServer' | 'owner';

/** The stores that endpoints come from and go to. Each is made with the indexes of its kind. */
export interface EndpointStores {
  readonly pods: ReadableStore<PodRecord, PodIndex>;
  readonly endpointSlices: ReadableStore<EndpointSliceRecord, EndpointSliceIndex>;
  readonly realServers: ReadableStore<RealServerResource, RealServerIndex>;
  readonly realServerSlices: ReadableStore<RealServerSliceResource, RealServerSliceIndex>;
  readonly virtualServices: ReadableStore<VirtualServiceResource>;
  readonly nodes: ReadableStore<NodeRecord>;
}

/**
 * How a pod, an EndpointSlice, an address or a VirtualService leads to the RealServers that it concerns, so that an
 * event costs what it changes and not what the cluster holds.
 */
export const realServerIndexes: Readonly<
  Record<RealServerIndex, (realServer: RealServerResource) => readonly string[]>
> = {
  virtualService: ({ metadata, spec }) => [`${metadata.namespace}/${spec.virtualServiceRef.name}`],
  selector: ({ metadata, spec }) =>
    spec.podSelector === undefined ? [] : selectorPivots(metadata.namespace, spec.podSelector),
  service: ({ metadata, spec }) =>
    spec.serviceRef === undefined ? [] : [`${metadata.namespace}/${spec.serviceRef.name}`],
  address: ({ spec }) => spec.addresses ?? [],
};

export const realServerSliceIndexes: Readonly<
  Record<RealServerSliceIndex, (slice: RealServerSliceResource) => readonly string[]>
> = {
  realServer: ({ metadata, spec }) => [`${metadata.namespace}/${spec.realServerName}`],
  owner: ({ metadata }) => (metadata.controller === undefined ? [] : [metadata.controller.uid]),
};

/**
 * Labels of which every pod that a selector chooses has one: where both sides look for each other. A selector that
 * demands no certain value is to be found by the namespace.
 */
export function selectorPivots(namespace: string, selector: LabelSelector): readonly string[] {
  const [label] = Object.entries(selector.matchLabels ?? {}).toSorted(([a], [b]) => (a < b ? -1 : 1));
  if (label !== undefined) return [labelIndexValue(namespace, ...label)];
  const choice = (selector.matchExpressions ?? []).find(({ operator }) => operator === 'In');
  if (choice === undefined) return [anyPodOf(namespace)];
  return [...new Set(choice.values)].map((value) => labelIndexValue(namespace, choice.key, value));
}

/** Where a selector stands that demands no certain value. */
export function anyPodOf(namespace: string): string {
  return `${namespace}/*`;
}
