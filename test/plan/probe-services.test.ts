import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseCidr, parseIpAddress } from '../../src/base/index.ts';
import { addProbeServices, computeChanges, hasProbeWay, listCheckedServers } from '../../src/plan/index.ts';
import type { DesiredState, DesiredStateInput, DirectorFacts } from '../../src/plan/index.ts';
import { addressPool, desire, facts, ModelHost, realServer, virtualService } from './world.ts';

const through = { healthCheck: { tcp: {}, through: 'virtualService' } };
const here: DirectorFacts = {
  ...facts,
  ownAddresses: ['10.0.0.254', '192.0.2.1', '2001:db8:1::fe', '172.16.0.1'].map(parseIpAddress),
  uplinks: [
    { name: 'eth0', subnets: [parseCidr('192.0.2.0/24')], mtu: 1500 },
    { name: 'eth1', subnets: [parseCidr('10.0.0.0/24'), parseCidr('2001:db8:1::/64')], mtu: 1500 },
  ],
};

function goal(input: Partial<DesiredStateInput>): DesiredState {
  const whole = { facts: here, addressPools: [addressPool('lab')], ...input };
  return addProbeServices(desire(whole), here);
}

const directReturn = { ...through, forwarding: { method: 'DR' } };
const web = (spec: object = {}) => virtualService('web', { ...directReturn, ...spec });
const servers = realServer('web', 'web', ['10.0.0.5', '10.0.0.6']);

const marksOf = ({ services }: DesiredState) =>
  [...services].flatMap(([key, { isForProbes, realServers }]) =>
    isForProbes === true ? [`${key} -> ${[...realServers.keys()].join(' ')}`] : [],
  );
const targetsOf = ({ services }: DesiredState) =>
  listCheckedServers(services).map(({ entry, check: { probe } }) => {
    const { ip, port, route } = probe.target;
    return `${entry}: ${ip}:${port} mark ${route?.mark.toString(16)} from ${route?.source}`;
  });

describe('probes through a virtual service', () => {
  it('have a mark service for each real server, and go to the virtual address', () => {
    const desired = goal({ virtualServices: [web()], realServers: [servers] });
    assert.deepEqual(marksOf(desired), [
      'mark 0x4c560001 IPv4 -> 10.0.0.5:0',
      'mark 0x4c560002 IPv4 -> 10.0.0.6:0',
    ]);
    assert.deepEqual(targetsOf(desired), [
      'TCP 192.0.2.10:80 10.0.0.5:80: 192.0.2.10:80 mark 4c560001 from 10.0.0.254',
      'TCP 192.0.2.10:80 10.0.0.6:80: 192.0.2.10:80 mark 4c560002 from 10.0.0.254',
    ]);
    assert.equal(desired.sysctls.get('net/ipv4/conf/eth1/accept_local'), '1');
    assert.equal(desired.sysctls.has('net/ipv4/conf/eth0/accept_local'), false);
    assert.deepEqual(desired.refusals, []);
  });

  it('change nothing where nobody asks for them', () => {
    const desired = desire({
      facts: here,
      virtualServices: [virtualService('web', { healthCheck: { tcp: {} } })],
      realServers: [servers],
    });
    assert.equal(addProbeServices(desired, here), desired);
  });

  it('of IPv6 need no sysctl', () => {
    const desired = goal({
      virtualServices: [web({ addresses: [{ ip: '2001:db8::10' }] })],
      realServers: [realServer('web', 'web', ['2001:db8:1::5'])],
    });
    assert.deepEqual(marksOf(desired), ['mark 0x4c560001 IPv6 -> [2001:db8:1::5]:0']);
    assert.deepEqual(targetsOf(desired), [
      'TCP [2001:db8::10]:80 [2001:db8:1::5]:80: 2001:db8::10:80 mark 4c560001 from 2001:db8:1::fe',
    ]);
    assert.equal(
      [...desired.sysctls.keys()].some((path) => path.endsWith('accept_local')),
      false,
    );
  });

  it('keep their marks, whoever comes and goes, and give them back when the kernel is rid of the service', () => {
    const host = new ModelHost();
    const first = goal({ virtualServices: [web()], realServers: [servers] });
    const again = goal({ virtualServices: [web()], realServers: [servers], allocations: first.allocations });
    assert.equal(again.allocations, first.allocations, 'a second look chooses nothing anew');
    const fewer = goal({
      virtualServices: [web()],
      realServers: [realServer('web', 'web', ['10.0.0.6', '10.0.0.7'])],
      allocations: first.allocations,
    });
    assert.deepEqual(marksOf(fewer), [
      'mark 0x4c560002 IPv4 -> 10.0.0.6:0',
      'mark 0x4c560003 IPv4 -> 10.0.0.7:0',
    ]);
    const plan = computeChanges({
      desired: fewer,
      observed: host.observe(),
      ownedServices: new Set(),
      ownedVips: [],
      drains: [],
      held: undefined,
      listNumber: 1,
      isComplete: true,
      nowMs: 0,
    });
    assert.deepEqual(
      Object.values(plan.allocations.marks).map(({ mark }) => mark.toString(16)),
      ['4c560002', '4c560003'],
    );
    assert.ok(plan.ownedServices.includes('mark 0x4c560003 IPv4'), 'the ledger has them');
  });

  it('share a way between two services of one address, and nothing with a service on a mark', () => {
    const ports = [
      { name: 'a', port: 80 },
      { name: 'b', port: 443 },
    ];
    const separate = goal({ virtualServices: [web({ ports })], realServers: [servers] });
    assert.equal(marksOf(separate).length, 2);
    const together = goal({
      virtualServices: [web({ ports, portGrouping: 'Together' })],
      realServers: [servers],
    });
    assert.deepEqual(marksOf(together), [
      'mark 0x4c560002 IPv4 -> 10.0.0.5:0',
      'mark 0x4c560003 IPv4 -> 10.0.0.6:0',
    ]);
    assert.match(
      targetsOf(together)[0] ?? '',
      /^mark 0x4c560001 IPv4 10\.0\.0\.5:0: 192\.0\.2\.10:80 mark 4c560002/,
    );
  });

  it('hold a server at full weight whatever people give it', () => {
    const desired = goal({
      virtualServices: [web()],
      realServers: [realServer('web', 'web', ['10.0.0.5'], { weight: 0, upperThreshold: 10 })],
    });
    const [server] = desired.services.get('mark 0x4c560001 IPv4')?.realServers.values() ?? [];
    assert.deepEqual([server?.config.weight, server?.config.upperThreshold], [1, 0]);
  });

  it('are the same objects from pass to pass', () => {
    const input = { virtualServices: [web()], realServers: [servers] };
    const first = goal(input);
    const base = {
      facts: here,
      addressPools: [addressPool('lab')],
      ...input,
      allocations: first.allocations,
    };
    const desired = desire(base);
    const [a, b] = [addProbeServices(desired, here), addProbeServices({ ...desired }, here)];
    for (const [key, service] of a.services) assert.equal(b.services.get(key), service, key);
    assert.equal(a.sysctls, b.sysctls);
  });

  it('wait for the kernel: before that, they would meet whoever is behind the address', () => {
    const desired = goal({ virtualServices: [web()], realServers: [servers] });
    const checked = listCheckedServers(desired.services);
    assert.ok(checked.length > 0);
    assert.ok(checked.every(({ check }) => !hasProbeWay(check, new Map())));
  });

  it('are refused under NAT, where they show nothing', () => {
    const { refusals } = goal({
      virtualServices: [virtualService('web', through)],
      realServers: [servers],
    });
    assert.deepEqual(
      refusals.map(({ reason, severity }) => `${severity} ${reason}`),
      ['error HealthCheckThroughNat'],
    );
  });

  it('need an address of the director; without one the server counts as up, and that is said', () => {
    const desired = desire({ facts: here, virtualServices: [web()], realServers: [servers] });
    const lost = addProbeServices(desired, { ...here, ownAddresses: [] });
    assert.deepEqual(
      lost.refusals.map(({ reason, severity }) => `${severity} ${reason}`),
      ['warning NoProbeSource', 'warning NoProbeSource'],
    );
    assert.deepEqual(listCheckedServers(lost.services), []);
  });
});
