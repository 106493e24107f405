import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { describe, it } from 'node:test';
import { apiVersion, formatFieldPath, formatObjectRef, parseResource } from '../../src/api/index.ts';
import type { RealServerResource, RealServerSliceResource } from '../../src/api/index.ts';
import { isInCidr, parseCidr, parseIpAddress, tryParseIpAddress } from '../../src/base/index.ts';
import { formatManifestProblem, groupResources, readManifestFolder } from '../../src/manifests/index.ts';
import { computeDesiredState } from '../../src/plan/index.ts';
import type { DesiredState } from '../../src/plan/index.ts';

const folder = join(import.meta.dirname, '../../examples-cluster');
const reading = readManifestFolder(folder);
const resources = groupResources(reading.objects.values());
const documentation = ['192.0.2.0/24', '198.51.100.0/24', '203.0.113.0/24', '2001:db8::/32'].map(parseCidr);
const podCidr = '10.244.0.0/16';

/** Two pods behind every RealServer, as the controller would write them. */
function sliceOf({ metadata, spec }: RealServerResource, index: number): RealServerSliceResource {
  const parsed = parseResource({
    apiVersion,
    kind: 'RealServerSlice',
    metadata: { name: `${metadata.name}-1`, namespace: metadata.namespace },
    spec: {
      virtualServiceName: spec.virtualServiceRef.name,
      realServerName: metadata.name,
      ports: spec.ports,
      endpoints: [1, 2].map((pod) => ({
        address: `10.244.${index}.${pod}`,
        phase: 'Serving',
        podUID: `${metadata.name}-${pod}`,
      })),
    },
  });
  assert.ok(parsed.ok && parsed.resource.kind === 'RealServerSlice');
  return parsed.resource;
}

/** @param labels of the namespace that all of the examples are in */
function plan(labels: Readonly<Record<string, string>>, hasCluster = true): DesiredState {
  return computeDesiredState({
    ...resources,
    ...(hasCluster
      ? {
          realServerSlices: resources.realServers.map(sliceOf),
          namespaceLabels: new Map([['default', labels]]),
        }
      : {}),
    facts: {
      ownAddresses: [],
      uplinks: [{ name: 'eth0', subnets: [parseCidr('192.0.2.0/24')], mtu: 1500 }],
      unavailableSchedulers: [],
      reservedCidrs: [],
      cluster: {
        nodeAddresses: [parseIpAddress('198.51.100.200')],
        podCidrs: [parseCidr(podCidr)],
        serviceCidrs: [parseCidr('10.96.0.0/12')],
        apiServerAddresses: [],
      },
    },
    allocations: { addresses: {}, marks: {}, portOwners: {} },
  });
}

const reasonsOf = ({ refusals }: DesiredState) =>
  refusals.map(
    ({ object, path, reason }) => `${formatObjectRef(object)} ${formatFieldPath(path)}: ${reason}`,
  );

describe('examples for a cluster', () => {
  it('load together', () => {
    assert.deepEqual(reading.problems.map(formatManifestProblem), []);
    assert.ok(reading.files.length >= 4, `${reading.files.length} files`);
  });

  it('are all served to a namespace with the label', () => {
    const desired = plan({ 'network-tier': 'public', 'kubernetes.io/metadata.name': 'default' });
    assert.deepEqual(reasonsOf(desired), []);
    const owners = new Set([...desired.services.values()].map(({ owner }) => owner.name));
    assert.deepEqual(
      [...owners].sort(),
      resources.virtualServices.map(({ metadata }) => metadata.name).toSorted(),
    );
    for (const [key, { realServers }] of desired.services) assert.ok(realServers.size >= 2, key);
  });

  it('of the canary get their weights per pod', () => {
    const desired = plan({ 'network-tier': 'public', 'kubernetes.io/metadata.name': 'default' });
    const checkout = [...desired.services.values()].find(({ owner }) => owner.name === 'checkout');
    const weights = [...(checkout?.realServers.values() ?? [])].map(({ config }) => config.weight);
    assert.deepEqual(
      weights.toSorted((a, b) => a - b),
      [10, 10, 100, 100],
    );
  });

  it('are refused to a namespace without the label, or with one that excludes it', () => {
    for (const labels of [{}, { 'network-tier': 'public', retired: 'yes' }]) {
      const desired = plan(labels);
      assert.equal(desired.services.size, 0);
      assert.equal(new Set(reasonsOf(desired)).size >= resources.virtualServices.length, true);
    }
  });

  it('are refused by a director that runs from files, and it says why', () => {
    const desired = plan({}, false);
    assert.equal(desired.services.size, 0);
    assert.ok(reasonsOf(desired).includes('AddressPool public spec.namespaceSelector: NeedsCluster'));
  });

  for (const file of reading.files) {
    const text = readFileSync(file, 'utf8');
    it(`${basename(file)} begins by saying what it is for`, () => assert.match(text, /^# [A-Z].{40}/));

    it(`${basename(file)} names documentation addresses only`, () => {
      for (const word of text.split(/[\s,/[\]-]+/)) {
        const ip = tryParseIpAddress(word);
        if (ip === undefined) continue;
        assert.ok(
          documentation.some((network) => isInCidr(ip, network)),
          `${ip} is a real address`,
        );
      }
    });
  }
});
