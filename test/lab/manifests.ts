/** Manifests as tests write them: objects, printed as JSON, which is YAML. */
const apiVersion = 'networking.lvs-operator.io/v1alpha1';

/** One VirtualService and the RealServers behind it, named after it. */
export interface ServiceManifest {
  readonly name: string;
  /** `spec` of the VirtualService. */
  readonly service: Readonly<Record<string, unknown>>;
  /** `spec` of each RealServer without `virtualServiceRef`. */
  readonly realServers: readonly Readonly<Record<string, unknown>>[];
}

/** The text of one manifest file. */
export function formatManifest({ name, service, realServers }: ServiceManifest): string {
  const virtualService = { apiVersion, kind: 'VirtualService', metadata: { name }, spec: service };
  const servers = realServers.map((spec, index) => ({
    apiVersion,
    kind: 'RealServer',
    metadata: { name: `${name}-${index + 1}` },
    spec: { virtualServiceRef: { name }, ...spec },
  }));
  return [virtualService, ...servers].map((object) => JSON.stringify(object, undefined, 2)).join('\n---\n');
}

/** Files by name, for a director: one per service, and the pool that admits every address of a lab network. */
export function manifestFolder(services: readonly ServiceManifest[]): Record<string, string> {
  return {
    'pool.yaml': labPool,
    ...Object.fromEntries(services.map((manifest) => [`${manifest.name}.yaml`, formatManifest(manifest)])),
  };
}

/** Everything that `LabNetwork` gives out as a VIP, and its real servers. */
export const labPool = JSON.stringify({
  apiVersion,
  kind: 'AddressPool',
  metadata: { name: 'lab' },
  spec: {
    addresses: ['192.0.2.150-192.0.2.254', '203.0.113.0/24', '2001:db8:c::1000/116', '2001:db8:f::/64'],
    namespaces: ['default'],
    realServerCIDRs: ['198.51.100.0/24', '2001:db8:5::/64'],
  },
});

/** Text of a director's configuration file. */
export function formatConfiguration(settings: Readonly<Record<string, unknown>>): string {
  return JSON.stringify({ apiVersion, kind: 'DirectorConfiguration', ...settings });
}
