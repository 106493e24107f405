/** Manifests of the director tests: an object a line, specs as JSON, which is YAML too. */

const apiVersion = 'networking.lvs-operator.io/v1alpha1';

export function objectText(kind: string, name: string, spec: unknown): string {
  return `apiVersion: ${apiVersion}\nkind: ${kind}\nmetadata: { name: ${name} }\nspec: ${JSON.stringify(spec)}\n`;
}

/** Several objects as one file. */
export function file(...objects: readonly string[]): string {
  return objects.join('---\n');
}

/** Every address that lab networks hand out, for every namespace. */
export const clusterPool = {
  addresses: [
    '192.0.2.128-192.0.2.250',
    '203.0.113.0/24',
    '2001:db8:c::1000-2001:db8:c::1fff',
    '2001:db8:f::/64',
  ],
  namespaces: ['*'],
  realServerCIDRs: ['198.51.100.0/24', '2001:db8:5::/64'],
};

/** The same as a manifest. */
export const labPool = objectText('AddressPool', 'lab', clusterPool);

/** One address, TCP port 80 named "http", round robin, and a drain that waits as long as the test. */
export function virtualService(
  name: string,
  vip: string,
  spec: Readonly<Record<string, unknown>> = {},
): string {
  return objectText('VirtualService', name, {
    addresses: [{ ip: vip }],
    ports: [{ name: 'http', port: 80 }],
    scheduler: 'rr',
    drain: { timeoutSeconds: 300 },
    ...spec,
  });
}

/** Named by its service and the last part of its first address. */
export function realServer(
  service: string,
  rips: string | readonly string[],
  spec: Readonly<Record<string, unknown>> = {},
): string {
  const addresses = typeof rips === 'string' ? [rips] : rips;
  const suffix = addresses[0]?.split(/[.:]/).at(-1) ?? 'none';
  return objectText('RealServer', `${service}-${suffix}`, {
    virtualServiceRef: { name: service },
    addresses,
    ...spec,
  });
}
