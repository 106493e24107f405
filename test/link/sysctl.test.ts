import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { isLvsError } from '../../src/base/index.ts';
import { computeSysctlProfile } from '../../src/link/pure.ts';
import type { SysctlNeeds } from '../../src/link/pure.ts';
import { SysctlFolder } from '../../src/link/sysctl.ts';

const nothing: SysctlNeeds = {
  hasServices: false,
  hasIpv4Nat: false,
  hasIpv6Nat: false,
  hasTunnel: false,
  hasDirectRouting: false,
  hasSourceNat: false,
  hasRoutedIpv4Vips: false,
  uplinks: ['eth0', 'bond0.100'],
};

const profiles: readonly {
  scenario: string;
  needs: Partial<SysctlNeeds>;
  has: Record<string, string | undefined>;
}[] = [
  {
    scenario: 'plain NAT forwards, sends no redirects and tracks nothing',
    needs: { hasIpv4Nat: true },
    has: {
      'net/ipv4/ip_forward': '1',
      'net/ipv4/conf/all/send_redirects': '0',
      'net/ipv4/conf/bond0.100/send_redirects': '0',
      'net/ipv4/vs/conntrack': '0',
      'net/ipv6/conf/all/forwarding': undefined,
      'net/ipv4/vs/schedule_icmp': undefined,
    },
  },
  {
    scenario: 'sourceNAT tracks connections',
    needs: { hasIpv4Nat: true, hasSourceNat: true },
    has: { 'net/ipv4/vs/conntrack': '1' },
  },
  {
    scenario: 'IPv6 NAT forwards IPv6 alone',
    needs: { hasIpv6Nat: true },
    has: { 'net/ipv6/conf/all/forwarding': '1', 'net/ipv4/ip_forward': undefined },
  },
  {
    scenario: 'DR neither forwards nor tracks, and takes ICMP errors for servers',
    needs: { hasDirectRouting: true },
    has: {
      'net/ipv4/vs/schedule_icmp': '1',
      'net/ipv4/ip_forward': undefined,
      'net/ipv4/vs/pmtu_disc': undefined,
    },
  },
  {
    scenario: 'TUN tells clients what fits',
    needs: { hasTunnel: true },
    has: { 'net/ipv4/vs/pmtu_disc': '1' },
  },
  {
    scenario: 'a routed VIP is kept off the uplinks’ ARP',
    needs: { hasRoutedIpv4Vips: true },
    has: { 'net/ipv4/conf/eth0/arp_ignore': '1', 'net/ipv4/conf/eth0/arp_announce': '2' },
  },
  {
    scenario: 'a VIP on the uplink leaves ARP alone',
    needs: {},
    has: { 'net/ipv4/conf/eth0/arp_ignore': undefined },
  },
  {
    scenario: 'connections of a server that somebody deleted wait for its return',
    needs: {},
    has: {
      'net/ipv4/vs/expire_nodest_conn': '0',
      'net/ipv4/vs/expire_quiescent_template': '1',
      'net/ipv4/vs/conn_reuse_mode': '2',
    },
  },
];

for (const { scenario, needs, has } of profiles) {
  test(`sysctl profile: ${scenario}`, () => {
    const profile = computeSysctlProfile({ ...nothing, hasServices: true, ...needs });
    for (const [path, value] of Object.entries(has)) assert.equal(profile.get(path), value, path);
  });
}

test('sysctl profile: a director without services has no opinion', () => {
  assert.equal(computeSysctlProfile({ ...nothing, hasIpv4Nat: true }).size, 0);
});

function folderWith(
  context: TestContext,
  values: Record<string, string>,
): { root: string; folder: SysctlFolder } {
  const root = mkdtempSync(join(tmpdir(), 'lvs-sysctl-'));
  context.after(() => rmSync(root, { recursive: true }));
  for (const [path, value] of Object.entries(values)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), value);
  }
  return { root, folder: new SysctlFolder(root) };
}

test('sysctl: writes what differs and says what was there', (context) => {
  const { root, folder } = folderWith(context, {
    'net/ipv4/ip_forward': '0\n',
    'net/ipv4/vs/conntrack': '1\n',
  });
  const outcome = folder.apply(
    new Map([
      ['net/ipv4/ip_forward', '1'],
      ['net/ipv4/vs/conntrack', '1'],
    ]),
  );
  assert.deepEqual([...outcome.previous], [['net/ipv4/ip_forward', '0']]);
  assert.equal(outcome.error, undefined);
  assert.match(readFileSync(join(root, 'net/ipv4/ip_forward'), 'utf8'), /^1\n/);
});

test('sysctl: what cannot be set is named with both values, and stops nothing', (context) => {
  const { root, folder } = folderWith(context, { 'net/ipv4/ip_forward': '0\n' });
  const outcome = folder.apply(
    new Map([
      ['net/ipv4/vs/conntrack', '1'],
      ['net/ipv4/ip_forward', '1'],
    ]),
  );
  assert.ok(isLvsError(outcome.error, 'LVS_SYSCTL_READ_ONLY'));
  assert.match(outcome.error.message, /net\.ipv4\.vs\.conntrack = 1 \(missing\)/);
  assert.deepEqual([...outcome.previous.keys()], ['net/ipv4/ip_forward']);
  assert.deepEqual(
    readdirSync(join(root, 'net/ipv4')),
    ['ip_forward'],
    'a missing sysctl is not created as a file',
  );
});

test('sysctl: a missing value reads as absent, several fields read with single spaces', (context) => {
  const { folder } = folderWith(context, { 'net/ipv4/vs/sync_threshold': '3\t50\n' });
  assert.deepEqual(
    [...folder.read(['net/ipv4/vs/sync_threshold', 'net/ipv4/vs/none'])],
    [['net/ipv4/vs/sync_threshold', '3 50']],
  );
});

test('sysctl: IPv6 forwarding does not make a host deaf to router advertisements', (context) => {
  const { folder } = folderWith(context, {
    'net/ipv6/conf/all/forwarding': '0\n',
    'net/ipv6/conf/all/accept_ra': '1\n',
    'net/ipv6/conf/eth0/accept_ra': '1\n',
    'net/ipv6/conf/eth1/accept_ra': '0\n',
  });
  const outcome = folder.apply(new Map([['net/ipv6/conf/all/forwarding', '1']]));
  assert.deepEqual(
    [...outcome.previous],
    [
      ['net/ipv6/conf/eth0/accept_ra', '1'],
      ['net/ipv6/conf/all/forwarding', '0'],
    ],
  );
  assert.deepEqual(
    [
      ...folder
        .read(['net/ipv6/conf/eth0/accept_ra', 'net/ipv6/conf/eth1/accept_ra', 'net/ipv6/conf/all/accept_ra'])
        .values(),
    ],
    ['2', '0', '1'],
  );
});
