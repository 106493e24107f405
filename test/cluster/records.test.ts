import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { formatCidr } from '../../src/base/index.ts';
import {
  computeClusterFacts,
  isDirectorNode,
  parseApiServerSlice,
  parseNamespace,
  parseNode,
  parserOf,
  parseServiceCidr,
} from '../../src/cluster/index.ts';
import { isLvsError } from '../../src/base/index.ts';

const metadata = { name: 'n1', uid: 'u1', resourceVersion: '7' };

describe('a node', () => {
  it('is read with what matters', () => {
    const node = parseNode({
      metadata: {
        ...metadata,
        labels: { 'networking.lvs-operator.io/director': '', zone: 'a' },
        annotations: { 'networking.lvs-operator.io/drain': 'new disks' },
      },
      spec: { podCIDR: '10.244.1.0/24', podCIDRs: ['10.244.1.0/24', 'fd00:1::/64'], unschedulable: true },
      status: {
        addresses: [
          { type: 'InternalIP', address: '192.0.2.10' },
          { type: 'InternalIP', address: '2001:DB8::A' },
          { type: 'Hostname', address: 'n1' },
        ],
        conditions: [
          { type: 'MemoryPressure', status: 'False' },
          { type: 'Ready', status: 'True' },
        ],
      },
    });
    assert.deepEqual(
      { ...node, podCidrs: node.podCidrs.map(formatCidr) },
      {
        name: 'n1',
        uid: 'u1',
        addresses: ['192.0.2.10', '2001:db8::a'],
        internalAddress: '192.0.2.10',
        podCidrs: ['10.244.1.0/24', 'fd00:1::/64'],
        isReady: true,
        isUnschedulable: true,
        isDraining: true,
        labels: { 'networking.lvs-operator.io/director': '', zone: 'a' },
      },
    );
    assert.ok(isDirectorNode(node));
  });

  const odd: readonly (readonly [scenario: string, spec: unknown, status: unknown])[] = [
    ['nothing', undefined, undefined],
    ['fields of other types', 'text', [1, 2]],
    ['lists that are none', { podCIDRs: '10.0.0.0/8' }, { addresses: {}, conditions: 7 }],
    ['entries that are none', { podCIDRs: [7, null] }, { addresses: [null, 7, 'x'], conditions: [null] }],
    [
      'addresses that are none',
      { podCIDRs: ['10.0.0.0/33', '10.0.0.0', 'x/8', '::ffff:10.0.0.0/104'] },
      { addresses: [{ address: '10.0.0.01' }, { address: 'fe80::1%eth0' }, { address: 7 }] },
    ],
    ['a condition that is not known', {}, { conditions: [{ type: 'Ready', status: 'Unknown' }] }],
  ];
  for (const [scenario, spec, status] of odd) {
    it(`is read although it has ${scenario}`, () => {
      const node = parseNode({ metadata, spec, status });
      assert.deepEqual(
        [node.addresses, node.podCidrs, node.isReady, node.isUnschedulable, node.isDraining, node.labels],
        [[], [], false, false, false, {}],
      );
      assert.ok(!isDirectorNode(node));
    });
  }

  it('keeps a pod network that is not written from its first address', () => {
    const { podCidrs } = parseNode({ metadata, spec: { podCIDR: '10.244.1.5/24' } });
    assert.deepEqual(podCidrs.map(formatCidr), ['10.244.1.0/24']);
  });
});

describe('other records', () => {
  it('a namespace has labels, and may be on its way out', () => {
    const labels = { team: 'a', broken: 7 };
    assert.deepEqual(parseNamespace({ metadata: { ...metadata, labels } }), {
      name: 'n1',
      labels: { team: 'a' },
      isTerminating: false,
    });
    const deletionTimestamp = '2026-01-01T00:00:00Z';
    assert.ok(parseNamespace({ metadata: { ...metadata, deletionTimestamp } }).isTerminating);
  });

  it('facts are sorted, without repetitions, and the same whatever the order', () => {
    const nodes = [
      parseNode({
        metadata: { name: 'b' },
        spec: { podCIDRs: ['10.1.0.0/24'] },
        status: { addresses: [{ address: '192.0.2.2' }, { address: '192.0.2.1' }] },
      }),
      parseNode({
        metadata: { name: 'a' },
        spec: { podCIDRs: ['10.0.0.0/24', '10.1.0.0/24'] },
        status: { addresses: [{ address: '192.0.2.1' }] },
      }),
    ];
    const serviceCidrs = [parseServiceCidr({ metadata, spec: { cidrs: ['10.96.0.0/12', 'fd00::/108'] } })];
    const slice = (name: string, addresses: readonly string[]) =>
      parseApiServerSlice({ metadata: { name }, endpoints: [{ addresses }, { addresses: null }, null] });
    const apiServerSlices = [slice('a', ['192.0.2.1', '192.0.2.9']), slice('b', ['192.0.2.9', 'name'])];
    const facts = computeClusterFacts({ nodes, serviceCidrs, apiServerSlices });
    assert.deepEqual(
      {
        ...facts,
        podCidrs: facts.podCidrs.map(formatCidr),
        serviceCidrs: facts.serviceCidrs.map(formatCidr),
      },
      {
        nodeAddresses: ['192.0.2.1', '192.0.2.2'],
        podCidrs: ['10.0.0.0/24', '10.1.0.0/24'],
        serviceCidrs: ['10.96.0.0/12', 'fd00::/108'],
        apiServerAddresses: ['192.0.2.1', '192.0.2.9'],
      },
    );
    const reversed = {
      nodes: nodes.toReversed(),
      serviceCidrs,
      apiServerSlices: apiServerSlices.toReversed(),
    };
    assert.deepEqual(computeClusterFacts(reversed), facts);
  });
});

describe('objects of ours', () => {
  const head = { apiVersion: 'networking.lvs-operator.io/v1alpha1', kind: 'VirtualService' };
  const parse = parserOf('VirtualService');

  it('are read by the rules for files', () => {
    const resource = parse({ ...head, metadata, spec: { ports: [{ port: 80 }] } });
    assert.equal(resource.spec.scheduler, 'wlc');
  });

  it('are refused with every mistake named', () => {
    assert.throws(
      () => parse({ ...head, metadata, spec: { ports: [{ port: 0 }], scheduler: 'best' } }),
      (error) => isLvsError(error, 'LVS_KUBE_MALFORMED') && /port.*scheduler/.test(error.message),
    );
    const pool = { ...head, kind: 'AddressPool', metadata, spec: {} };
    assert.throws(() => parse(pool), /AddressPool among objects of kind VirtualService/);
  });
});
