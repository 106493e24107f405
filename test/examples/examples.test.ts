import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { describe, it } from 'node:test';
import { formatFieldPath, formatObjectRef } from '../../src/api/index.ts';
import { isInCidr, parseCidr, tryParseIpAddress } from '../../src/base/index.ts';
import {
  formatManifestProblem,
  groupResources,
  readManifestFolder,
  readManifestPaths,
} from '../../src/manifests/index.ts';
import { computeDesiredState } from '../../src/plan/index.ts';
import type { DesiredState } from '../../src/plan/index.ts';
import { temporaryFolder } from '../manifests/temporary-folder.ts';

const folder = join(import.meta.dirname, '../../examples');
const reading = readManifestFolder(folder);
const pools = join(folder, 'address-pool.yaml');

/** What a director with an empty table and one uplink would want. */
function plan(...paths: readonly string[]): DesiredState {
  const { objects, problems } = readManifestPaths(paths);
  assert.deepEqual(problems.map(formatManifestProblem), []);
  return computeDesiredState({
    ...groupResources(objects.values()),
    facts: {
      ownAddresses: [],
      uplinks: [{ name: 'eth0', subnets: [parseCidr('192.0.2.0/24')], mtu: 1500 }],
      unavailableSchedulers: [],
      reservedCidrs: [],
    },
    allocations: { addresses: {}, marks: {}, portOwners: {} },
  });
}

const errorsOf = ({ refusals }: DesiredState) =>
  refusals
    .filter(({ severity }) => severity === 'error')
    .map(({ object, path, message }) => `${formatObjectRef(object)} ${formatFieldPath(path)}: ${message}`);

describe('the manifests in the README', () => {
  it('are served as they stand there', () => {
    const readme = readFileSync(join(import.meta.dirname, '../../README.md'), 'utf8');
    const [, yaml] = /^```yaml\n(.*?)^```$/ms.exec(readme) ?? [];
    using copy = temporaryFolder({ 'readme.yaml': yaml ?? '' });
    const desired = plan(join(copy.path, 'readme.yaml'));
    assert.deepEqual(errorsOf(desired), []);
    assert.deepEqual(
      [...desired.services].map(([key, { realServers }]) => [key, realServers.size]),
      [['TCP 192.0.2.10:80', 2]],
    );
  });
});

describe('examples', () => {
  it('load together as one folder', () => {
    assert.deepEqual(reading.problems.map(formatManifestProblem), []);
    assert.ok(reading.files.length >= 10, `${reading.files.length} files`);
  });

  it('are all served together', () => {
    const desired = plan(folder);
    assert.deepEqual(errorsOf(desired), []);
    const owners = new Set([...desired.services.values()].map(({ owner }) => owner.name));
    const written = groupResources(reading.objects.values()).virtualServices.map(
      ({ metadata }) => metadata.name,
    );
    assert.deepEqual([...owners].sort(), written.toSorted());
    for (const [key, { realServers }] of desired.services)
      assert.ok(realServers.size > 0, `${key} has real servers`);
  });

  for (const file of reading.files.filter((path) => path !== pools)) {
    it(`${basename(file)} is served with the pools alone`, () => {
      const desired = plan(pools, file);
      assert.deepEqual(errorsOf(desired), []);
      assert.ok(desired.services.size > 0);
    });
  }

  for (const file of reading.files) {
    const text = readFileSync(file, 'utf8');

    it(`${basename(file)} begins by saying what it is for`, () => assert.match(text, /^# [A-Z].{40}/));

    it(`${basename(file)} names documentation addresses only`, () => {
      const documentation = ['192.0.2.0/24', '198.51.100.0/24', '203.0.113.0/24', '2001:db8::/32'].map(
        parseCidr,
      );
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

  it('show every way of asking for health but those that say nothing of the service', () => {
    const shown = groupResources(reading.objects.values()).virtualServices.flatMap(({ spec }) =>
      Object.keys(spec.healthCheck ?? {}),
    );
    for (const type of ['tcp', 'http', 'grpc', 'udp', 'dns', 'smtp'])
      assert.ok(shown.includes(type), `no example of ${type}`);
  });

  it('show every forwarding method, both families and every object kind', () => {
    const { services } = plan(folder);
    const all = [...services.values()];
    const methods = new Set(
      all.flatMap(({ realServers }) => [...realServers.values()].map(({ config }) => config.forwarding)),
    );
    assert.deepEqual([...methods].sort(), ['DR', 'NAT', 'TUN']);
    assert.ok(all.some(({ key }) => key.kind === 'address' && key.vip.includes(':')));
    assert.ok(all.some(({ key }) => key.kind === 'mark'));
  });
});
