/** Small valid objects to vary in tables. */
export const apiVersion = 'networking.lvs-operator.io/v1alpha1';

export function virtualService(spec: object = {}, metadata: object = {}): unknown {
  return {
    apiVersion,
    kind: 'VirtualService',
    metadata: { name: 'web', ...metadata },
    spec: { ports: [{ port: 80 }], ...spec },
  };
}

export function realServer(spec: object = {}, metadata: object = {}): unknown {
  return {
    apiVersion,
    kind: 'RealServer',
    metadata: { name: 'web', ...metadata },
    spec: { virtualServiceRef: { name: 'web' }, addresses: ['198.51.100.1'], ...spec },
  };
}

export function addressPool(spec: object = {}, metadata: object = {}): unknown {
  return {
    apiVersion,
    kind: 'AddressPool',
    metadata: { name: 'public', ...metadata },
    spec: { addresses: ['192.0.2.0/24'], ...spec },
  };
}
