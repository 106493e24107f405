import type { Cidr, IpAddress } from '../base/index.ts';
import type { KubeObject } from '../kube/index.ts';
import { readAddresses, readNetworks } from './networks.ts';
import { fieldsOf, listOf, textMapOf, textOf, textsOf } from './read-fields.ts';

/** What the operator needs to know of a Node; the rest of a Node is large and changes every few minutes. */
export interface NodeRecord {
  readonly name: string;
  readonly uid: string;
  /** Internal and external ones alike: none of them may become a virtual address. */
  readonly addresses: readonly IpAddress[];
  /** The first one by which others in the cluster reach it. */
  readonly internalAddress: IpAddress | undefined;
  readonly podCidrs: readonly Cidr[];
  readonly isReady: boolean;
  /** Cordoned. */
  readonly isUnschedulable: boolean;
  /** A person drains it: every real server on it is to get no new connections. */
  readonly isDraining: boolean;
  readonly labels: Readonly<Record<string, string>>;
}

/** Nodes with this label, whatever its value, are directors. */
export const directorLabel = 'networking.lvs-operator.io/director';

/** Real servers on nodes with this annotation drain, whatever its value; it is for people to say why. */
export const drainAnnotation = 'networking.lvs-operator.io/drain';

export function isDirectorNode(node: Pick<NodeRecord, 'labels'>): boolean {
  return Object.hasOwn(node.labels, directorLabel);
}

export function parseNode({ metadata, spec, status }: KubeObject): NodeRecord {
  const { podCIDR, podCIDRs, unschedulable } = fieldsOf(spec);
  const { addresses, conditions } = fieldsOf(status);
  const podNetworks = textsOf(podCIDRs);
  const internal = listOf(addresses).flatMap((entry) => {
    const { type, address } = fieldsOf(entry);
    return type === 'InternalIP' ? [textOf(address) ?? ''] : [];
  });
  return {
    name: metadata.name,
    uid: metadata.uid ?? '',
    addresses: readAddresses(listOf(addresses).map((entry) => textOf(fieldsOf(entry)['address']) ?? '')),
    internalAddress: readAddresses(internal)[0],
    podCidrs: readNetworks(podNetworks.length > 0 ? podNetworks : [textOf(podCIDR) ?? '']),
    isReady: listOf(conditions).some((condition) => {
      const { type, status: holds } = fieldsOf(condition);
      return type === 'Ready' && holds === 'True';
    }),
    isUnschedulable: unschedulable === true,
    isDraining: Object.hasOwn(fieldsOf(metadata['annotations']), drainAnnotation),
    labels: textMapOf(metadata['labels']),
  };
}
