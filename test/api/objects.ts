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

export function realServerSlice(spec: object = {}, metadata: object = {}): unknown {
  return {
    apiVersion,
    kind: 'RealServerSlice',
    metadata: { name: 'web-1', ...metadata },
    spec: {
      virtualServiceName: 'web',
      realServerName: 'web',
      endpoints: [{ address: '198.51.100.1', phase: 'Serving' }],
      ...spec,
    },
  };
}

export function director(spec: object = {}, metadata: object = {}): unknown {
  return { apiVersion, kind: 'Director', metadata: { name: 'node-a', ...metadata }, spec };
}

/** An object that is refused, and every problem that is told about it. */
export type RefusalRow = readonly [what: string, value: unknown, ...problems: string[]];
