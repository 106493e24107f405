import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseResource } from '../../src/api/index.ts';
import type { AddressPoolResource } from '../../src/api/index.ts';
import { parseCidr, parseIpAddress } from '../../src/base/index.ts';
import { createEndpointPolicy } from '../../src/controller/endpoint-policy.ts';
import type { SlicePort } from '../../src/controller/join-slice-ports.ts';
import { virtualService } from './objects.ts';

function pool(spec: object): AddressPoolResource {
  const parsed = parseResource({
    apiVersion: 'networking.lvs-operator.io/v1alpha1',
    kind: 'AddressPool',
    metadata: { name: 'public' },
    spec,
  });
  assert.ok(parsed.ok && parsed.resource.kind === 'AddressPool');
  return parsed.resource;
}

const policy = createEndpointPolicy({
  facts: {
    ownAddresses: [],
    uplinks: [],
    unavailableSchedulers: [],
    reservedCidrs: [],
    cluster: {
      nodeAddresses: [parseIpAddress('172.16.0.1')],
      podCidrs: [parseCidr('10.0.0.0/8')],
      serviceCidrs: [parseCidr('10.96.0.0/12')],
      apiServerAddresses: [parseIpAddress('172.16.0.9')],
    },
  },
  addressPools: [
    pool({
      namespaceSelector: { matchLabels: { team: 'shop' } },
      realServerCIDRs: ['192.0.2.0/24', '10.0.0.0/8', '172.16.0.0/24', '127.0.0.0/8'],
    }),
  ],
  namespaceLabels: new Map([['shop', { team: 'shop' }]]),
});

interface Case {
  readonly address: string;
  readonly isPod?: boolean;
  readonly namespace?: string;
  readonly ports?: readonly SlicePort[];
  readonly virtualPorts?: readonly object[];
  readonly reason: string | undefined;
}

describe('who may receive traffic', () => {
  const cases: readonly Case[] = [
    { address: '192.0.2.1', reason: undefined },
    { address: '192.0.2.1', namespace: 'bank', reason: 'RealServerNotAllowed' },
    { address: '203.0.113.1', reason: 'RealServerNotAllowed' },
    { address: '10.1.2.3', reason: 'AddressOfPodNetwork' },
    { address: '10.1.2.3', isPod: true, reason: undefined },
    { address: '10.1.2.3', isPod: true, namespace: 'bank', reason: undefined },
    { address: '10.96.0.1', isPod: true, reason: 'AddressOfServiceNetwork' },
    { address: '127.0.0.1', reason: 'AddressReserved' },
    { address: '127.0.0.1', isPod: true, reason: 'AddressReserved' },
    { address: '172.16.0.9', reason: 'AddressOfApiServer' },
    { address: '172.16.0.1', reason: undefined },
    { address: '172.16.0.1', ports: [{ port: 10250 }], reason: 'ControlPort' },
    { address: '172.16.0.1', isPod: true, ports: [{ port: 6443 }], reason: 'ControlPort' },
    { address: '172.16.0.1', virtualPorts: [{ port: 2379 }], reason: 'ControlPort' },
    { address: '172.16.0.1', virtualPorts: [{ port: 2000, endPort: 3000 }], reason: 'ControlPort' },
    {
      address: '172.16.0.1',
      ports: [{ port: 2000 }],
      virtualPorts: [{ port: 2000, endPort: 3000 }],
      reason: 'ControlPort',
    },
    { address: '192.0.2.1', ports: [{ port: 10250 }], reason: undefined },
  ];
  for (const { address, isPod = false, namespace = 'shop', ports = [], virtualPorts, reason } of cases) {
    const as = `${isPod ? 'a pod' : 'a static address'} of ${namespace}`;
    const on = JSON.stringify(ports.length > 0 ? ports : (virtualPorts ?? []));
    it(`${address} as ${as} on ${on}: ${reason ?? 'yes'}`, () => {
      const verdict = policy.judge({
        address: parseIpAddress(address),
        isPod,
        namespace,
        ports,
        virtualService: virtualService(
          virtualPorts === undefined ? {} : { ports: virtualPorts, portGrouping: 'Together' },
        ),
      });
      assert.equal(verdict?.reason, reason);
    });
  }
});
