import { maxAdvisedWeight, maxSliceEndpoints, virtualServiceLabel } from '../api/index.ts';
import type { Endpoint, RealServerSliceResource, RealServerSliceSpec } from '../api/index.ts';
import { isEqualJson } from '../kube/index.ts';
import type { SlicePort } from './join-slice-ports.ts';
import { packSlices } from './pack-slices.ts';
import type { PackedSlice } from './pack-slices.ts';
import { formatPortsKey } from './resolve-endpoints.ts';
import type { ResolvedEndpoint } from './resolve-endpoints.ts';
import { labelValueOf, sliceName } from './slice-names.ts';

/** An endpoint as a slice holds it, and the ports that it asks of its slice. */
export interface SliceEntry {
  readonly address: string;
  readonly portsKey: string;
  readonly ports: readonly SlicePort[];
  readonly entry: Endpoint;
}

/** A slice as it is known to be stored. */
export interface StoredSlice {
  readonly resource: RealServerSliceResource;
  readonly uid: string;
  readonly resourceVersion: string;
  /** A newer version cannot be read; what is known of it is an older one. */
  readonly isUnreadable: boolean;
}

export interface SliceOwner {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly virtualServiceName: string;
}

export type SliceWrite =
  | {
      readonly kind: 'apply';
      readonly name: string;
      readonly spec: RealServerSliceSpec;
      /** What it is to replace; undefined: it is new. */
      readonly replaces: StoredSlice | undefined;
    }
  | { readonly kind: 'delete'; readonly name: string; readonly uid: string };

export interface SliceWritesInput {
  readonly owner: SliceOwner;
  /** Slices that the owner's uid is in. */
  readonly own: readonly StoredSlice[];
  /** Slices that name the RealServer and belong to another uid, or to nobody. */
  readonly orphans: readonly StoredSlice[];
  /** In a stable order. */
  readonly entries: readonly SliceEntry[];
}

/**
 * The writes that make the slices of a RealServer what they should be, in an order in which no endpoint is ever missing:
 * what gains endpoints, then what only loses or changes some, then deletions, those of orphans last.
 */
export function planSliceWrites({ owner, own, orphans, entries }: SliceWritesInput): readonly SliceWrite[] {
  const stored = new Map(own.map((slice) => [slice.resource.metadata.name, slice]));
  const { slices, emptied } = packSlices({
    stored: own.map(({ resource }) => ({
      name: resource.metadata.name,
      portsKey: formatPortsKey(resource.spec.ports),
      addresses: resource.spec.endpoints.map(({ address }) => address),
    })),
    endpoints: entries,
    maxEndpoints: maxSliceEndpoints,
    nameOf: (number) => sliceName(owner, number),
    takenNames: new Set(orphans.map(({ resource }) => resource.metadata.name)),
  });
  const writes = slices
    .map((packed) => ({ packed, spec: specOf(owner, packed), replaces: stored.get(packed.name) }))
    .filter(({ spec, replaces }) => replaces === undefined || !isAsWanted(replaces, owner, spec));
  const apply = ({ packed: { name }, spec, replaces }: (typeof writes)[number]): SliceWrite => ({
    kind: 'apply',
    name,
    spec,
    replaces,
  });
  const leaving = [...emptied.map((name) => stored.get(name)), ...orphans];
  return [
    ...writes.filter((write) => doesGain(write)).map(apply),
    ...writes.filter((write) => !doesGain(write)).map(apply),
    ...leaving.flatMap((slice): SliceWrite[] =>
      slice === undefined ? [] : [{ kind: 'delete', name: slice.resource.metadata.name, uid: slice.uid }],
    ),
  ];
}

/** @param weight computed from the load; undefined: that of the RealServer */
export function sliceEntryOf(endpoint: ResolvedEndpoint, weight?: number): SliceEntry {
  const { address, portsKey, ports, phase, deadlineMs, nodeName, pod } = endpoint;
  return {
    address,
    portsKey,
    ports,
    entry: {
      address,
      phase,
      ...(deadlineMs === undefined
        ? {}
        : { deadline: new Date(deadlineMs).toISOString().replace('.000Z', 'Z') }),
      ...(weight === undefined ? {} : { weight: Math.min(weight, maxAdvisedWeight) }),
      ...(nodeName === undefined ? {} : { nodeName }),
      ...(pod === undefined ? {} : { podUID: pod.uid }),
    },
  };
}

/** An endpoint that stays as it is stored. */
export function storedEntry(ports: readonly SlicePort[], entry: Endpoint): SliceEntry {
  return { address: entry.address, portsKey: formatPortsKey(ports), ports, entry };
}

export function labelsOf({ virtualServiceName }: SliceOwner): Record<string, string> {
  return { [virtualServiceLabel]: labelValueOf(virtualServiceName) };
}

/** Equal, whatever the order of the endpoints: an API server merges them by address. */
export function isSameSliceSpec(a: RealServerSliceSpec, b: RealServerSliceSpec): boolean {
  const { endpoints, ...rest } = a;
  const { endpoints: otherEndpoints, ...otherRest } = b;
  if (endpoints.length !== otherEndpoints.length || !isEqualJson(rest, otherRest)) return false;
  const others = new Map(otherEndpoints.map((endpoint) => [endpoint.address, endpoint]));
  return endpoints.every((endpoint) => isEqualJson(endpoint, others.get(endpoint.address)));
}

function specOf(
  { name, virtualServiceName }: SliceOwner,
  { endpoints }: PackedSlice<SliceEntry>,
): RealServerSliceSpec {
  return {
    virtualServiceName,
    realServerName: name,
    ports: endpoints[0]?.ports ?? [],
    endpoints: endpoints.map(({ entry }) => entry),
  };
}

function isAsWanted(slice: StoredSlice, owner: SliceOwner, spec: RealServerSliceSpec): boolean {
  const { metadata, spec: storedSpec } = slice.resource;
  const isLabelled = Object.entries(labelsOf(owner)).every(
    ([key, value]) => metadata.labels?.[key] === value,
  );
  return !slice.isUnreadable && isLabelled && isSameSliceSpec(storedSpec, spec);
}

function doesGain({
  packed,
  replaces,
}: {
  readonly packed: PackedSlice<SliceEntry>;
  readonly replaces: StoredSlice | undefined;
}): boolean {
  if (replaces === undefined) return true;
  const { ports, endpoints } = replaces.resource.spec;
  if (formatPortsKey(ports) !== packed.portsKey) return true;
  const known = new Set<string>(endpoints.map(({ address }) => address));
  return packed.endpoints.some(({ address }) => !known.has(address));
}
