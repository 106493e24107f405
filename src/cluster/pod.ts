import type { IpAddress } from '../base/index.ts';
import type { KubeObject, ListOptions } from '../kube/index.ts';
import { readAddresses } from './networks.ts';
import { SharedResources } from './pod-resources.ts';
import type { PodResources } from './pod-resources.ts';
import { fieldsOf, listOf, textMapOf, textOf } from './read-fields.ts';
import { SharedLabels } from './shared-labels.ts';

export type PodPhase = 'Pending' | 'Running' | 'Succeeded' | 'Failed' | 'Unknown';

/** What the operator needs to know of a Pod: a fiftieth of it, since there may be a hundred thousand. */
export interface PodRecord {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly labels: Readonly<Record<string, string>>;
  /** The first is the primary one. Empty until the pod has a network. */
  readonly ips: readonly IpAddress[];
  readonly nodeName: string | undefined;
  /** The condition Ready, which readiness probes and readiness gates make. A pod that is ending may still be ready. */
  readonly isReady: boolean;
  readonly phase: PodPhase;
  /** When kubelet kills what is left of it: `deletionTimestamp`, which includes the grace period. Undefined: not ending. */
  readonly deletionDeadlineMs: number | undefined;
  /** Its addresses are those of its node, and of every other such pod there. */
  readonly isHostNetwork: boolean;
  /** Equal ones are the same object. */
  readonly resources: PodResources;
}

/** Pods that ended for good are not even sent: Jobs leave thousands of them behind. */
export const livePods: ListOptions = { fieldSelector: 'status.phase!=Succeeded,status.phase!=Failed' };

/** A parser with a memory for labels and resources, which hundreds of pods have in common. One for each store. */
export function podParser(): (object: KubeObject) => PodRecord {
  const shared = new SharedLabels();
  const resources = new SharedResources();
  return (object) => parsePod(object, shared, resources);
}

function parsePod(
  { metadata, spec, status }: KubeObject,
  shared: SharedLabels,
  resources: SharedResources,
): PodRecord {
  const { nodeName, hostNetwork } = fieldsOf(spec);
  const { phase, podIP, podIPs, conditions } = fieldsOf(status);
  const addresses = listOf(podIPs).map((entry) => textOf(fieldsOf(entry)['ip']) ?? '');
  return {
    namespace: metadata.namespace ?? '',
    name: metadata.name,
    uid: metadata.uid ?? '',
    labels: shared.share(textMapOf(metadata['labels'])),
    ips: readAddresses(addresses.length > 0 ? addresses : [textOf(podIP) ?? '']),
    nodeName: textOf(nodeName),
    isReady: listOf(conditions).some((condition) => {
      const { type, status: value } = fieldsOf(condition);
      return type === 'Ready' && value === 'True';
    }),
    phase: phases.find((known) => known === phase) ?? (phase === undefined ? 'Pending' : 'Unknown'),
    deletionDeadlineMs: readTimeMs(metadata['deletionTimestamp']),
    isHostNetwork: hostNetwork === true,
    resources: resources.read(spec),
  };
}

const phases: readonly PodPhase[] = ['Pending', 'Running', 'Succeeded', 'Failed', 'Unknown'];

/** A time that cannot be read still says that the pod is ending: at once, then. */
function readTimeMs(value: unknown): number | undefined {
  if (typeof value !== 'string') return undefined;
  const timeMs = Date.parse(value);
  return Number.isNaN(timeMs) ? 0 : timeMs;
}

export type PodIndex = 'namespace' | 'label' | 'address';

/** How pods are found: by namespace, by one label of it (`labelIndexValue`), and by address in the whole cluster. */
export const podIndexes: Readonly<Record<PodIndex, (pod: PodRecord) => readonly string[]>> = {
  namespace: ({ namespace }) => [namespace],
  label: ({ namespace, labels }) =>
    Object.entries(labels).map(([key, value]) => labelIndexValue(namespace, key, value)),
  address: ({ ips }) => ips,
};

export function labelIndexValue(namespace: string, key: string, value: string): string {
  return `${namespace}/${key}=${value}`;
}
