import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { formatRestore, isSameRuleTables, parseSavedRules, renderRuleTables } from '../../src/link/pure.ts';
import { FakeIptables } from '../fakes/fake-iptables.ts';
import { arbitraryPacketRules } from './arbitrary-packet-rules.ts';

/** What another program keeps beside us, with quirks that a careless parser trips over. */
function addForeignRules(fake: FakeIptables): void {
  fake
    .chain('filter', 'INPUT')
    .push('-i lo -j ACCEPT', '-p tcp -m comment --comment "-j LVS-GUARD says a comment" -j KUBE-FW');
  fake.chain('filter', 'KUBE-FW').push('-j RETURN');
  fake.chain('filter', 'LVS-GUARDIAN').push('-j DROP');
  fake.chain('nat', 'POSTROUTING').push('-s 10.0.0.0/8 ! -o docker0 -j MASQUERADE');
  fake.chain('raw', 'LVS-GUARD').push('-j NOTRACK');
}

function foreignLines(fake: FakeIptables): string[] {
  return fake
    .save()
    .split('\n')
    .filter(
      (line) =>
        !/^:LVS-(GUARD|MARK|MSS|SNAT)(-\d+)? |^-A LVS-(GUARD|MARK|MSS|SNAT)(-\d+)? |-[jg] LVS-(GUARD|MARK|MSS|SNAT)(-\d+)?$/.test(
          line,
        ),
    );
}

test('saved rules: from any state to any other in one restore, foreign rules bit-equal', () => {
  fc.assert(
    fc.property(arbitraryPacketRules, arbitraryPacketRules, (before, after) => {
      const fake = new FakeIptables();
      for (const table of ['filter', 'mangle', 'nat']) fake.addTable(table);
      addForeignRules(fake);
      const foreign = foreignLines(fake);
      for (const rules of [before, after]) {
        const desired = renderRuleTables(rules, 'IPv4');
        const input = formatRestore(desired, parseSavedRules(fake.save()));
        if (input !== undefined) assert.equal(fake.restore(input), undefined, input);
        assert.ok(isSameRuleTables(parseSavedRules(fake.save()), desired));
        assert.equal(
          formatRestore(desired, parseSavedRules(fake.save())),
          undefined,
          'a second time is nothing to do',
        );
        assert.deepEqual(foreignLines(fake), foreign);
      }
    }),
    { numRuns: 60 },
  );
});

const rules = {
  vips: [],
  claims: [{ vip: '192.0.2.1', protocol: 'TCP', port: 80, endPort: 80, sourceRanges: [], mark: undefined }],
  sourceNat: [],
  mssClamps: [],
} as unknown as Parameters<typeof renderRuleTables>[0];

const handEdits: readonly { scenario: string; edit: (fake: FakeIptables) => void }[] = [
  {
    scenario: 'iptables -F: all rules of all chains are gone',
    edit: (fake) => fake.addTable('filter').forEach((list) => list.splice(0)),
  },
  {
    scenario: 'iptables -F INPUT: only the jump is gone',
    edit: (fake) => fake.chain('filter', 'INPUT').splice(0),
  },
  { scenario: 'the jump exists twice', edit: (fake) => fake.chain('filter', 'INPUT').push('-j LVS-GUARD') },
  {
    scenario: 'a jump from a chain where none belongs',
    edit: (fake) => fake.chain('filter', 'FORWARD').push('-j LVS-GUARD'),
  },
  {
    scenario: 'a foreign rule in our chain',
    edit: (fake) => fake.chain('filter', 'LVS-GUARD').unshift('-j ACCEPT'),
  },
  {
    scenario: 'a chain of ours that no rule needs',
    edit: (fake) => fake.chain('filter', 'LVS-GUARD-99').push('-j DROP'),
  },
  {
    scenario: 'a stale chain that something still jumps to',
    edit: (fake) => {
      fake.chain('filter', 'LVS-GUARD-99');
      fake.chain('filter', 'OUTPUT').push('-p udp -j LVS-GUARD-99');
    },
  },
];

for (const { scenario, edit } of handEdits) {
  test(`saved rules: repaired after a hand edit: ${scenario}`, () => {
    const fake = new FakeIptables();
    const desired = renderRuleTables(rules, 'IPv4');
    fake.restore(formatRestore(desired, parseSavedRules('')) ?? '');
    edit(fake);
    const input = formatRestore(desired, parseSavedRules(fake.save()));
    assert.notEqual(input, undefined, 'the edit is noticed');
    assert.equal(fake.restore(input ?? ''), undefined);
    assert.ok(isSameRuleTables(parseSavedRules(fake.save()), desired));
  });
}

test('saved rules: a missing jump is put first, a jump that others pushed down stays', () => {
  const fake = new FakeIptables();
  addForeignRules(fake);
  const desired = renderRuleTables(rules, 'IPv4');
  fake.restore(formatRestore(desired, parseSavedRules(fake.save())) ?? '');
  assert.equal(fake.chain('filter', 'INPUT')[0], '-j LVS-GUARD');
  fake.chain('filter', 'INPUT').unshift('-j cali-INPUT');
  assert.equal(formatRestore(desired, parseSavedRules(fake.save())), undefined);
});

test('saved rules: packet counters in front of rules are skipped', () => {
  const tables = parseSavedRules(
    '*filter\n:LVS-GUARD - [1:60]\n[5:300] -A LVS-GUARD -p icmp -j RETURN\nCOMMIT\n',
  );
  assert.deepEqual(tables.get('filter')?.chains.get('LVS-GUARD'), ['-p icmp -j RETURN']);
});
