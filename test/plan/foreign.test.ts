import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { formatVirtualServiceKey } from '../../src/ipvs/pure.ts';
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
import { ModelDirector, realServer, virtualService } from './world.ts';

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
    const elsewhere: Change = { type: 'setSysctl', path: 'net/ipv4/ip_forward', value: '1', was: '0' };
    const { changes, withheld } = withholdRepairs([drift, wanted, elsewhere], state, 2500);
    assert.deepEqual(changes, [wanted, elsewhere]);
    assert.deepEqual(withheld, [entry]);
    assert.equal(isRepair(drift), true);
    assert.equal(isRepair(wanted), false);
    assert.equal(entryOfChange(drift), entry);
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
