import { apiGroup, apiVersion } from '../api/index.ts';
import type { ResourceType } from '../kube/index.ts';

const ownVersion = apiVersion.slice(apiGroup.length + 1);

export const virtualServiceType = ownType('VirtualService', 'virtualservices', true);
export const realServerType = ownType('RealServer', 'realservers', true);
export const realServerSliceType = ownType('RealServerSlice', 'realserverslices', true);
export const addressPoolType = ownType('AddressPool', 'addresspools', false);
export const directorType = ownType('Director', 'directors', false);

export const podType = builtInType('', 'v1', 'Pod', 'pods', true);
export const configMapType = builtInType('', 'v1', 'ConfigMap', 'configmaps', true);
export const secretType = builtInType('', 'v1', 'Secret', 'secrets', true);
export const nodeType = builtInType('', 'v1', 'Node', 'nodes', false);
export const namespaceType = builtInType('', 'v1', 'Namespace', 'namespaces', false);
export const endpointSliceType = builtInType(
  'discovery.k8s.io',
  'v1',
  'EndpointSlice',
  'endpointslices',
  true,
);
/** Served since Kubernetes 1.33 (KEP-1880); a watch of it on 1.32 is told that there is no such kind. */
export const serviceCidrType = builtInType('networking.k8s.io', 'v1', 'ServiceCIDR', 'servicecidrs', false);

/** Served by metrics-server or an adapter, if any; it can be got and listed, and not watched. */
export const podMetricsType = builtInType('metrics.k8s.io', 'v1beta1', 'PodMetrics', 'pods', true);

function ownType(kind: string, plural: string, isNamespaced: boolean): ResourceType {
  return { group: apiGroup, version: ownVersion, kind, plural, isNamespaced };
}

function builtInType(
  ...[group, version, kind, plural, isNamespaced]: [string, string, string, string, boolean]
): ResourceType {
  return { group, version, kind, plural, isNamespaced };
}
