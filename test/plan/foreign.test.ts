import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { formatVirtualServiceKey } from '../../src/ipvs/pure.ts';
import { emptyPacketRules } from '../../src/link/pure.ts';
import {
  describeForeignHands,
  entryOfChange,
  foughtEntries,
  isRepair,
  likelyOwner,
  noForeignHands,
  recordRepairs,
  withholdRepairs,
} from '../../src/plan/index.ts';
import type { Change, ChangeReason, ForeignHands } from '../../src/plan/index.ts';
import {
  ModelDirector,
  busy,
  realServer,
  serverA,
  serverB,
  servingDirector,
  virtualService,
} from './world.ts';
import type { ModelHost } from './world.ts';

const entry = 'TCP 192.0.2.10:80';

/** Repairs of one entry at these seconds. */
function repairs(...seconds: readonly number[]): ForeignHands {
  return seconds.reduce((state, second) => recordRepairs(state, [entry], second * 1000), noForeignHands);
}

function change(reason: ChangeReason): Change {
  const director = new ModelDirector().read({
    virtualServices: [virtualService('web')],
    realServers: [realServer('a', 'web', ['10.0.0.5'])],
  });
  const found = director.plan().changes.find(({ type }) => type === 'ipvs');
  assert.ok(found?.type === 'ipvs' && formatVirtualServiceKey(found.operation.service) === entry);
  return { ...found, reason };
}

describe('foreign hands', () => {
  it('two repairs within a minute are help, the third is a fight', () => {
    assert.deepEqual(foughtEntries(repairs(0, 30)), []);
    assert.deepEqual(foughtEntries(repairs(0, 30, 59)), [entry]);
  });

  it('repairs that are a minute apart never become a fight', () => {
    assert.deepEqual(foughtEntries(repairs(0, 60, 120, 180, 240)), []);
  });

  it('repairs wait 1, 2, 4 … 60 seconds', () => {
    let state = repairs(0, 1);
    let nowMs = 2000;
    const waits: number[] = [];
    for (let i = 0; i < 8; i++) {
      state = recordRepairs(state, [entry], nowMs);
      const { wakeAtMs } = withholdRepairs([change('Drift')], state, nowMs);
      assert.ok(wakeAtMs !== undefined);
      waits.push((wakeAtMs - nowMs) / 1000);
      assert.deepEqual(withholdRepairs([change('Drift')], state, wakeAtMs).withheld, []);
      nowMs = wakeAtMs;
    }
    assert.deepEqual(waits, [1, 2, 4, 8, 16, 32, 60, 60]);
  });

  it('withholds the repair of that entry alone, and nothing that people asked for', () => {
    const state = repairs(0, 1, 2);
    const drift = change('Drift');
    const wanted = change('Changed');
    const elsewhere: Change = {
      type: 'setSysctl',
      path: 'net/ipv4/ip_forward',
      value: '1',
      was: '0',
      isRepair: true,
    };
    const { changes, withheld } = withholdRepairs([drift, wanted, elsewhere], state, 2500);
    assert.deepEqual(changes, [wanted, elsewhere]);
    assert.deepEqual(withheld, [entry]);
    assert.equal(isRepair(drift), true);
    assert.equal(isRepair(wanted), false);
    assert.equal(entryOfChange(drift), entry);
  });

  const fights: readonly (readonly [string, string, (host: ModelHost) => void, RegExp])[] = [
    ['a VIP', 'VIP 192.0.2.10 on eth0', (host) => void (host.addresses = []), /manages addresses/],
    [
      'a sysctl',
      'sysctl net.ipv4.ip_forward',
      (host) => void host.sysctls.set('net/ipv4/ip_forward', '0'),
      /writes that setting/,
    ],
    [
      'the packet rules',
      'The set of our packet rules',
      (host) => void (host.packetRules = emptyPacketRules),
      /writes the firewall/,
    ],
  ];
  for (const [what, name, interfere, advice] of fights) {
    it(`backs off in a fight over ${what}, and is told so`, () => {
      const director = servingDirector();
      let state = noForeignHands;
      for (let nowMs = 0; nowMs < 3000; nowMs += 1000) {
        assert.deepEqual(foughtEntries(state), []);
        interfere(director.host);
        const { changes } = withholdRepairs(director.pass().changes, state, nowMs);
        assert.deepEqual(changes.map(entryOfChange), [name]);
        state = recordRepairs(state, changes.filter(isRepair).map(entryOfChange), nowMs);
      }
      assert.deepEqual(foughtEntries(state), [name]);
      interfere(director.host);
      assert.deepEqual(withholdRepairs(director.plan().changes, state, 2500).changes, []);
      assert.match(describeForeignHands(state, { interfaces: [], processes: [] }) ?? '', advice);
    });
  }

  it('takes nothing for a repair that a new, moved or draining object asks for', () => {
    const director = servingDirector();
    assert.equal(director.plan().changes.length, 0);
    director.host.connect(entry, '10.0.0.5:80', busy);
    const moved = virtualService('web', {
      addresses: [{ ip: '192.0.2.11' }],
      forwarding: { sourceNAT: true },
    });
    director.read({ virtualServices: [moved], realServers: [serverA, serverB] });
    const seen = new Set<string>();
    for (let pass = 0; pass < 8; pass++) {
      if (pass === 4) director.host.disconnectAll();
      const { changes } = director.pass();
      for (const { type } of changes) seen.add(type);
      assert.deepEqual(changes.filter(isRepair), []);
      director.later(60_000);
    }
    assert.deepEqual([...seen].toSorted(), ['bindVip', 'ipvs', 'releaseVip', 'setPacketRules', 'setSysctl']);
    assert.deepEqual(director.pass().changes, []);
  });

  it('forgets an entry that was left alone for two minutes', () => {
    const state = recordRepairs(repairs(0, 1, 2), [], 2000 + 120_000);
    assert.equal(state.entries.size, 0);
    assert.equal(describeForeignHands(state, { interfaces: [], processes: [] }), undefined);
  });

  const owners: readonly (readonly [string, readonly string[], readonly string[], RegExp | undefined])[] = [
    ['kube-proxy by its interface', ['lo', 'kube-ipvs0'], [], /^kube-proxy/],
    ['kube-router by its interface', ['kube-dummy-if'], [], /^kube-router/],
    ['keepalived by its process', ['lo'], ['keepalived'], /^keepalived/],
    ['nobody', ['lo', 'eth0'], ['sshd'], undefined],
  ];
  for (const [name, interfaces, processes, expected] of owners) {
    it(`suspects ${name}`, () => {
      const suspect = likelyOwner({ interfaces, processes });
      if (expected === undefined) assert.equal(suspect, undefined);
      else assert.match(suspect ?? '', expected);
      const sentence = describeForeignHands(repairs(0, 1, 2), { interfaces, processes });
      assert.match(sentence ?? '', /^TCP 192\.0\.2\.10:80 is changed again and again, probably by .*\.$/);
    });
  }
});
