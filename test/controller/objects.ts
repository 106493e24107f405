/** Objects of tests, short to write: resources as the stores hold them, and records of pods and EndpointSlices. */
import assert from 'node:assert/strict';
import { apiVersion, parseResource } from '../../src/api/index.ts';
import type {
  RealServerResource,
  RealServerSliceResource,
  Resource,
  VirtualServiceResource,
} from '../../src/api/index.ts';
import { parseIpAddress } from '../../src/base/index.ts';
import type { EndpointRecord, EndpointSliceRecord, PodRecord } from '../../src/cluster/index.ts';

function parse<Kind extends Resource['kind']>(
  kind: Kind,
  metadata: object,
  spec: object,
  status?: object,
): Extract<Resource, { kind: Kind }> {
  const parsed = parseResource({ apiVersion, kind, metadata, spec, ...(status && { status }) });
  assert.ok(parsed.ok, JSON.stringify(parsed));
  assert.equal(parsed.resource.kind, kind);
  return parsed.resource as Extract<Resource, { kind: Kind }>;
}

export function virtualService(spec: object = {}, status?: object, name = 'web'): VirtualServiceResource {
  const metadata = { name, namespace: 'shop', uid: `uid-vs-${name}`, generation: 1 };
  return parse('VirtualService', metadata, { ports: [{ port: 80 }], ...spec }, status);
}

export function realServer(spec: object, name = 'pods'): RealServerResource {
  const metadata = { name, namespace: 'shop', uid: `uid-rs-${name}`, generation: 1 };
  return parse('RealServer', metadata, { virtualServiceRef: { name: 'web' }, ...spec });
}

export function realServerSlice(name: string, addresses: readonly string[]): RealServerSliceResource {
  const controller = { kind: 'RealServer', name: 'pods', uid: 'uid-rs-pods', controller: true };
  const metadata = { name, namespace: 'shop', uid: `uid-${name}`, ownerReferences: [controller] };
  const endpoints = addresses.map((address) => ({ address, phase: 'Serving' }));
  return parse('RealServerSlice', metadata, { virtualServiceName: 'web', realServerName: 'pods', endpoints });
}

export interface PodOptions extends Partial<Omit<PodRecord, 'ips'>> {
  readonly ips?: readonly string[];
}

export function pod(name: string, options: PodOptions = {}): PodRecord {
  return {
    namespace: 'shop',
    name,
    uid: `uid-${name}`,
    labels: { app: 'web' },
    nodeName: 'node-1',
    isReady: true,
    phase: 'Running',
    deletionDeadlineMs: undefined,
    isHostNetwork: false,
    resources: { cpuLimit: undefined, cpuRequest: undefined, memoryLimit: undefined },
    ...options,
    ips: (options.ips ?? ['10.0.0.1']).map(parseIpAddress),
  };
}

export interface EndpointOptions extends Partial<Omit<EndpointRecord, 'address' | 'target'>> {
  /** A pod of the same namespace. */
  readonly pod?: string;
  readonly uid?: string | undefined;
  readonly target?: EndpointRecord['target'];
}

export function endpoint(address: string, options: EndpointOptions = {}): EndpointRecord {
  const { pod: podName, uid = `uid-${podName}`, target, ...rest } = options;
  return {
    address: parseIpAddress(address),
    isReady: true,
    isServing: rest.isReady ?? true,
    isTerminating: false,
    nodeName: undefined,
    target:
      target ?? (podName === undefined ? undefined : { kind: 'Pod', namespace: 'shop', name: podName, uid }),
    ...rest,
  };
}

export function endpointSlice(
  endpoints: readonly EndpointRecord[],
  options: Partial<EndpointSliceRecord> = {},
): EndpointSliceRecord {
  return {
    namespace: 'shop',
    name: 'web-abc',
    serviceName: 'web',
    addressType: 'IPv4',
    ports: [{ name: '', protocol: 'TCP', port: 8080 }],
    endpoints,
    ...options,
  };
}
