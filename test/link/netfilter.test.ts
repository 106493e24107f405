import assert from 'node:assert/strict';
import { describe, it, test } from 'node:test';
import { isLvsError, parseIpAddress } from '../../src/base/index.ts';
import type { IpFamily } from '../../src/base/index.ts';
import { isSamePacketRules } from '../../src/link/index.ts';
import type { PacketRules } from '../../src/link/index.ts';
import { Netfilter } from '../../src/link/netfilter.ts';
import type { RuleChangeProbe } from '../../src/link/rule-change-probe.ts';
import { fakeIptablesHost } from '../fakes/fake-iptables.ts';
import type { FakeIptables } from '../fakes/fake-iptables.ts';

function rulesFor(...ports: number[]): PacketRules {
  const vip = parseIpAddress('192.0.2.1');
  return {
    vips: [vip],
    claims: ports.map((port) => ({
      vip,
      protocol: 'TCP',
      port,
      endPort: port,
      sourceRanges: [],
      mark: undefined,
    })),
    sourceNat: [],
    mssClamps: [],
  };
}

/** A host whose generation number moves with the text of its rules. */
function probeOf(host: { ipv4: FakeIptables; ipv6: FakeIptables }): RuleChangeProbe {
  return {
    fingerprint: () => host.ipv4.save() + host.ipv6.save(),
    listLegacyTables: (family: IpFamily) =>
      [...(family === 'IPv4' ? host.ipv4 : host.ipv6).tables.keys()] as ReturnType<
        RuleChangeProbe['listLegacyTables']
      >,
    close: () => {},
  };
}

test('netfilter: applies once, and then a pass without differences runs nothing', () => {
  const host = fakeIptablesHost();
  const netfilter = new Netfilter({ run: host.run, probe: probeOf(host) });
  netfilter.apply(rulesFor(80));
  assert.ok(isSamePacketRules(netfilter.observe() ?? rulesFor(), rulesFor(80)));
  host.runs.length = 0;
  netfilter.apply(rulesFor(80));
  netfilter.observe();
  assert.deepEqual(host.runs, []);
});

test('netfilter: a restart recognises its rules without writing', () => {
  const host = fakeIptablesHost();
  new Netfilter({ run: host.run, probe: probeOf(host) }).apply(rulesFor(80, 443));
  const restarted = new Netfilter({ run: host.run, probe: probeOf(host) });
  assert.ok(isSamePacketRules(restarted.observe() ?? rulesFor(), rulesFor(80, 443)));
});

test('netfilter: a hand edit is seen by the poll and makes the rules unknown', () => {
  const host = fakeIptablesHost();
  const netfilter = new Netfilter({ run: host.run, probe: probeOf(host) });
  netfilter.apply(rulesFor(80));
  netfilter.pollChanged();
  assert.equal(netfilter.pollChanged(), false);
  host.ipv4.chain('filter', 'LVS-GUARD-1').unshift('-j ACCEPT');
  assert.equal(netfilter.pollChanged(), true);
  assert.equal(netfilter.observe(), undefined);
});

test('netfilter: an iptables that spells a rule differently is not written to for ever, and still watched', () => {
  const host = fakeIptablesHost();
  const save = host.ipv4.save.bind(host.ipv4);
  host.ipv4.save = () => save().replaceAll('--reject-with tcp-reset', '--reject-with tcp-rst');
  const netfilter = new Netfilter({ run: host.run, probe: probeOf(host) });
  netfilter.apply(rulesFor(80));
  assert.ok(isSamePacketRules(netfilter.observe() ?? rulesFor(), rulesFor(80)));
  host.ipv4.chain('filter', 'LVS-GUARD-1').splice(0, 1, '-p tcp -m multiport --dports 22 -j RETURN');
  assert.equal(netfilter.observe(), undefined);
});

test('netfilter: once its spelling is known, what was written is read back at the full look only', () => {
  const host = fakeIptablesHost();
  const netfilter = new Netfilter({ run: host.run, probe: probeOf(host) });
  netfilter.apply(rulesFor(80));
  netfilter.observe();
  host.runs.length = 0;
  netfilter.apply(rulesFor(80, 443));
  assert.ok(isSamePacketRules(netfilter.observe() ?? rulesFor(), rulesFor(80, 443)));
  assert.deepEqual(host.runs, ['iptables-restore']);
  assert.ok(isSamePacketRules(netfilter.observe(true) ?? rulesFor(), rulesFor(80, 443)));
  assert.ok(host.runs.includes('iptables-save'));
  host.ipv4.chain('filter', 'LVS-GUARD-1').unshift('-j ACCEPT');
  assert.equal(netfilter.observe(), undefined);
});

test('netfilter: a full look goes by exact signs alone, and reads again only when they moved', () => {
  const host = fakeIptablesHost();
  const probe = probeOf(host);
  // A table too large to be hashed every second: an edit that keeps its numbers keeps the cheap fingerprint.
  const netfilter = new Netfilter({
    run: host.run,
    probe: { ...probe, fingerprint: (backend, isExact) => (isExact ? probe.fingerprint(backend) : 'large') },
  });
  netfilter.apply(rulesFor(80));
  netfilter.observe(true);
  host.runs.length = 0;
  assert.ok(isSamePacketRules(netfilter.observe(true) ?? rulesFor(), rulesFor(80)));
  assert.deepEqual(host.runs, []);
  host.ipv4.chain('filter', 'LVS-GUARD-1').splice(-1, 1, '-j ACCEPT');
  assert.ok(netfilter.observe(), 'the cheap look cannot see it');
  assert.equal(netfilter.observe(true), undefined);
});

describe('netfilter: a full look in the background', () => {
  /** The cheap fingerprint shows nothing; programs end when they are told to. */
  function slowHost() {
    const host = fakeIptablesHost();
    const probe = probeOf(host);
    const ends: (() => void)[] = [];
    const netfilter = new Netfilter({
      run: host.run,
      start: (command, args) =>
        new Promise((resolve) => {
          const result = host.run(command, args);
          ends.push(() => resolve(result));
        }),
      probe: {
        ...probe,
        fingerprint: (backend, isExact) => (isExact ? probe.fingerprint(backend) : 'large'),
      },
    });
    netfilter.apply(rulesFor(80));
    netfilter.observe();
    const edit = () => void host.ipv4.chain('filter', 'LVS-GUARD-1').splice(-1, 1, '-j ACCEPT');
    return { host, netfilter, ends, edit };
  }

  it('says what it found from then on', async () => {
    const { netfilter, ends, edit } = slowHost();
    edit();
    const look = netfilter.lookAgain();
    assert.ok(netfilter.observe(), 'nobody waits for it');
    for (const end of ends) end();
    await look;
    assert.equal(netfilter.observe(), undefined);
  });

  it('runs nothing where an exact sign says that nothing changed', async () => {
    const { host, netfilter } = slowHost();
    netfilter.observe(true);
    host.runs.length = 0;
    await netfilter.lookAgain();
    assert.deepEqual(host.runs, []);
  });

  it('does not believe what it read before a write of ours', async () => {
    const { netfilter, ends, edit } = slowHost();
    edit();
    const look = netfilter.lookAgain();
    netfilter.observe(true);
    netfilter.apply(rulesFor(80, 443));
    for (const end of ends) end();
    await look;
    assert.ok(isSamePacketRules(netfilter.observe() ?? rulesFor(), rulesFor(80, 443)));
  });

  it('is one at a time', async () => {
    const { netfilter, ends, edit } = slowHost();
    edit();
    const look = netfilter.lookAgain();
    const { length } = ends;
    await netfilter.lookAgain();
    assert.deepEqual([length, ends.length], [2, 2]);
    for (const end of ends) end();
    await look;
  });
});

test('netfilter: a kernel without the tables of nf_tables is found out with one chain, not with all rules', () => {
  const host = fakeIptablesHost({ suffix: '-legacy' });
  const inputs: string[] = [];
  const netfilter = new Netfilter({
    run: (command, args, input) => {
      if (command === 'ip6tables-legacy-restore' || command === 'iptables-legacy-restore') {
        return args.includes('--version')
          ? { status: 0, stdout: '', stderr: '' }
          : host.run(command, args, input);
      }
      if (!command.endsWith('tables-restore')) return host.run(command, args, input);
      inputs.push(input ?? '');
      return { status: 4, stdout: '', stderr: 'TABLE_ADD failed (Operation not supported): table filter' };
    },
    probe: probeOf(host),
  });
  netfilter.apply(rulesFor(80));
  assert.ok(isSamePacketRules(netfilter.observe() ?? rulesFor(), rulesFor(80)));
  assert.equal(inputs.length, 1);
  assert.ok(!inputs.join().includes('LVS-GUARD'), inputs.join());
});

test('netfilter: an edit that keeps the shape, right after a look, is no spelling', () => {
  const host = fakeIptablesHost();
  const netfilter = new Netfilter({ run: host.run, probe: probeOf(host) });
  netfilter.apply(rulesFor(80));
  netfilter.observe();
  host.ipv4.chain('filter', 'LVS-GUARD-1').splice(-1, 1, '-j ACCEPT');
  assert.equal(netfilter.observe(), undefined);
});

test('netfilter: legacy rules of others decide for legacy on a host whose iptables is nft', () => {
  const host = fakeIptablesHost({ suffix: '-legacy' });
  host.ipv4.chain('filter', 'INPUT').push('-i lo -j ACCEPT');
  const netfilter = new Netfilter({ run: host.run, probe: probeOf(host) });
  netfilter.apply(rulesFor(80));
  assert.equal(host.ipv4.chain('filter', 'INPUT')[0], '-j LVS-GUARD');
  assert.ok(host.runs.includes('iptables-legacy-restore'));
  assert.ok(!host.runs.includes('iptables-restore'));
});

test('netfilter: somebody else between look and change: looked again, and done', () => {
  const host = fakeIptablesHost();
  const netfilter = new Netfilter({ run: host.run, probe: probeOf(host) });
  netfilter.apply(rulesFor(80));
  netfilter.observe();
  const restore = host.ipv4.restore.bind(host.ipv4);
  let isFirst = true;
  host.ipv4.chain('filter', 'INPUT').push('-j LVS-GUARD');
  host.ipv4.restore = (text) => {
    if (isFirst) host.ipv4.chain('filter', 'INPUT').splice(-1);
    if (isFirst && text.includes('-D INPUT')) host.ipv4.chain('filter', 'INPUT').splice(0);
    isFirst = false;
    return restore(text);
  };
  netfilter.apply(rulesFor(80, 81));
  assert.ok(isSamePacketRules(netfilter.observe() ?? rulesFor(), rulesFor(80, 81)));
});

test('netfilter: without the command, nothing wanted is fine and something wanted says what to install', () => {
  const probe: RuleChangeProbe = {
    fingerprint: () => undefined,
    listLegacyTables: () => [],
    close: () => {},
  };
  const run = () => ({ status: undefined, stdout: '', stderr: '' });
  const netfilter = new Netfilter({ run, probe });
  netfilter.remove();
  assert.throws(
    () => netfilter.apply(rulesFor(80)),
    (error) => isLvsError(error, 'LVS_NETFILTER_UNAVAILABLE') && (error.hint ?? '').includes('Install'),
  );
});

test('netfilter: a kernel that refuses a rule is quoted', () => {
  const host = fakeIptablesHost();
  host.ipv4.restore = () => 'Extension multiport revision 0 not supported';
  const netfilter = new Netfilter({ run: host.run, probe: probeOf(host), backend: 'nft' });
  assert.throws(
    () => netfilter.apply(rulesFor(80)),
    (error) => isLvsError(error, 'LVS_NETFILTER_UNAVAILABLE') && error.message.includes('multiport'),
  );
});

test('netfilter: removal leaves what others have and nothing of ours', () => {
  const host = fakeIptablesHost();
  host.ipv4.chain('filter', 'INPUT').push('-i lo -j ACCEPT');
  const before = host.ipv4.save();
  const netfilter = new Netfilter({ run: host.run, probe: probeOf(host) });
  netfilter.apply(rulesFor(80, 443));
  assert.notEqual(host.ipv4.save(), before);
  netfilter.remove();
  assert.equal(host.ipv4.save(), before);
});
