import { matchesLabels } from '../api/index.ts';
import type { LabelSelector, RealServerResource } from '../api/index.ts';
import type { PodRecord } from '../cluster/index.ts';
import { objectKey } from '../kube/index.ts';
import type { EndpointPolicy } from './endpoint-policy.ts';
import { anyPodOf, selectorPivots } from './indexes.ts';
import type { EndpointStores } from './indexes.ts';
import type { EndpointWorld } from './resolve-endpoints.ts';

/** The stores as one RealServer sees them. */
export function worldOf(
  realServer: RealServerResource,
  stores: EndpointStores,
  policy: EndpointPolicy,
  isServing: (key: string) => boolean,
): EndpointWorld {
  const { namespace, name } = realServer.metadata;
  const virtualServiceKey = `${namespace}/${realServer.spec.virtualServiceRef.name}`;
  return {
    virtualService: stores.virtualServices.get(virtualServiceKey),
    podsSelectedBy: (inNamespace, selector) => findPods(stores.pods, inNamespace, selector),
    pod: (inNamespace, podName) => stores.pods.get(`${inNamespace}/${podName}`),
    podsWithAddress: (ip) => stores.pods.byIndex('address', ip),
    endpointSlicesOf: (inNamespace, serviceName) =>
      stores.endpointSlices.byIndex('service', `${inNamespace}/${serviceName}`),
    node: (nodeName) => stores.nodes.get(nodeName),
    policy,
    isServedElsewhere: () =>
      stores.realServers
        .byIndex('virtualService', virtualServiceKey)
        .some(
          ({ metadata, spec }) =>
            metadata.name !== name &&
            spec.state === 'Enabled' &&
            spec.weight > 0 &&
            isServing(objectKey(metadata)),
        ),
  };
}

function findPods(
  pods: EndpointStores['pods'],
  namespace: string,
  selector: LabelSelector,
): readonly PodRecord[] {
  return selectorPivots(namespace, selector)
    .flatMap((pivot) =>
      pivot === anyPodOf(namespace) ? pods.byIndex('namespace', namespace) : pods.byIndex('label', pivot),
    )
    .filter(({ labels }) => matchesLabels(selector, labels));
}
