import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { formatClaim, formatPlan } from '../../src/plan/index.ts';
import { ModelDirector, realServer, virtualService } from './world.ts';

describe('a plan for people', () => {
  const director = new ModelDirector().read({
    virtualServices: [
      virtualService('web', {
        scheduler: 'sh',
        persistence: { timeoutSeconds: 60 },
        sourceRanges: ['198.51.100.0/24'],
        portGrouping: 'Together',
      }),
    ],
    realServers: [
      realServer('a', 'web', ['10.0.0.5'], { upperThreshold: 10, lowerThreshold: 5 }),
      realServer('t', 'web', ['10.0.0.6'], {
        forwarding: { method: 'TUN', tunnel: { type: 'GUE', port: 6080 } },
      }),
    ],
  });

  it('says what is added, and why', () => {
    const lines = formatPlan(director.pass()).filter((line) => !line.includes('sysctl'));
    assert.deepEqual(lines, [
      '+ mark 0x4c560001 IPv4 sh persistent 60s /32  (VirtualService default/web: new)',
      '+ mark 0x4c560001 IPv4 -> 10.0.0.5:0 NAT weight 1 thresholds 10/5  (RealServer default/a: new)',
      '+ mark 0x4c560001 IPv4 -> 10.0.0.6:0 TUN GUE:6080 weight 1  (RealServer default/t: new)',
      '~ packet rules: 1 guarded addresses, 1 open ports, 1 marks, 0 source NAT, 1 MSS clamps',
      '+ address 192.0.2.10 on eth0, announced',
    ]);
  });

  it('says so when there is nothing to do', () => {
    assert.deepEqual(formatPlan(director.pass()), ['No changes: the kernel is as it should be.']);
  });

  it('shows drains with their deadline', () => {
    director.host.connect('mark 0x4c560001 IPv4', '10.0.0.5:0', { active: 1 });
    director.read({ ...director.input, realServers: [] });
    const lines = formatPlan(director.pass());
    assert.ok(
      lines.includes(
        '… mark 0x4c560001 IPv4 -> 10.0.0.5:0 drains until 1970-01-01T00:21:40.000Z at the latest (Removed)',
      ),
      lines.join('\n'),
    );
    assert.ok(lines.some((line) => line.startsWith('~ mark 0x4c560001 IPv4 sh persistent 60s /32 fallback')));
  });

  it('explains a claim', () => {
    const [claim] = director.desired?.packetRules.claims ?? [];
    assert.ok(claim);
    assert.equal(formatClaim(claim), 'TCP 192.0.2.10 port 80 from 198.51.100.0/24 mark 0x4c560001');
  });
});
