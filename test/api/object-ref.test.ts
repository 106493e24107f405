import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  formatFieldPath,
  formatObjectRef,
  isResourceList,
  parseResource,
  requestedAddresses,
} from '../../src/api/index.ts';
import { apiVersion, virtualService } from './objects.ts';

describe('names for people', () => {
  it('an object of a namespace', () => {
    assert.equal(
      formatObjectRef({ kind: 'VirtualService', namespace: 'default', name: 'web' }),
      'VirtualService default/web',
    );
  });
  it('an object of the cluster', () =>
    assert.equal(formatObjectRef({ kind: 'AddressPool', name: 'a' }), 'AddressPool a'));

  const paths: readonly [path: readonly (string | number)[], text: string][] = [
    [['spec', 'ports', 0, 'port'], 'spec.ports[0].port'],
    [['metadata', 'labels', 'app.example/name'], 'metadata.labels["app.example/name"]'],
    [['items', 3, 'spec'], 'items[3].spec'],
    [[], ''],
  ];
  for (const [path, text] of paths) it(`path ${text}`, () => assert.equal(formatFieldPath(path), text));
});

describe('requestedAddresses', () => {
  const table: readonly [what: string, spec: object, requests: unknown][] = [
    ['nothing said: one IPv4 of the default pool', {}, [{ kind: 'pool', family: 'IPv4', pool: undefined }]],
    [
      'families alone',
      { addressFamilies: ['IPv6', 'IPv4'] },
      [
        { kind: 'pool', family: 'IPv6', pool: undefined },
        { kind: 'pool', family: 'IPv4', pool: undefined },
      ],
    ],
    [
      'a fixed address',
      { addresses: [{ ip: '2001:db8::1' }] },
      [{ kind: 'fixed', ip: '2001:db8::1', family: 'IPv6', pool: undefined }],
    ],
    [
      'a fixed address of a pool',
      { addresses: [{ ip: '192.0.2.1', pool: 'a' }] },
      [{ kind: 'fixed', ip: '192.0.2.1', family: 'IPv4', pool: 'a' }],
    ],
    ['any address of a pool', { addresses: [{ pool: 'a' }] }, [{ kind: 'pool', family: 'IPv4', pool: 'a' }]],
    [
      'an IPv6 address of the default pool',
      { addresses: [{ family: 'IPv6' }] },
      [{ kind: 'pool', family: 'IPv6', pool: undefined }],
    ],
  ];
  for (const [what, spec, requests] of table) {
    it(what, () => {
      const result = parseResource(virtualService(spec));
      assert.ok(result.ok && result.resource.kind === 'VirtualService');
      assert.deepEqual(requestedAddresses(result.resource.spec), requests);
    });
  }
});

describe('isResourceList', () => {
  const table: readonly [value: unknown, expected: boolean][] = [
    [{ apiVersion: 'v1', kind: 'List', items: [] }, true],
    [{ apiVersion, kind: 'RealServerList', items: [] }, true],
    [{ apiVersion: 'v1', kind: 'PodList', items: [] }, false],
    [{ apiVersion: 'v1', kind: 'List' }, false],
    [null, false],
  ];
  for (const [value, expected] of table)
    it(JSON.stringify(value), () => assert.equal(isResourceList(value), expected));
});
