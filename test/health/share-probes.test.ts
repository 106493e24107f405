import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { probeKey } from '../../src/health/question.ts';
import type { HttpQuestion, Question } from '../../src/health/question.ts';
import { noSharing, shareProbes } from '../../src/health/share-probes.ts';
import type { Check } from '../../src/health/share-probes.ts';
import { firstVerdict } from '../../src/health/verdict.ts';
import type { Verdict } from '../../src/health/verdict.ts';
import { check, probe } from './checks.ts';

const http: HttpQuestion = { type: 'http', method: 'GET', path: '/', headers: [], statuses: [[200, 399]] };
const nothingKnown = () => undefined;

describe('the identity of a probe', () => {
  it('does not depend on how its question was put together', () => {
    const other: Question = {
      statuses: [[200, 399]],
      headers: [],
      path: '/',
      method: 'GET',
      type: 'http',
      body: undefined,
    };
    assert.equal(probeKey(probe('192.0.2.1', http)), probeKey(probe('192.0.2.1', other)));
  });

  it('is different for whatever changes what the probe does', () => {
    const base = probe('192.0.2.1', http);
    const route = { mark: 1, source: base.target.ip };
    const probes = [
      base,
      probe('192.0.2.2', http),
      { ...base, target: { ...base.target, port: 81 } },
      { ...base, target: { ...base.target, route } },
      { ...base, target: { ...base.target, route: { ...route, mark: 2 } } },
      { ...base, intervalMs: 5000 },
      { ...base, timeoutMs: 500 },
      probe('192.0.2.1', { ...http, path: '/x' }),
      probe('192.0.2.1', { ...http, headers: [['a', 'b']] }),
      probe('192.0.2.1', { ...http, headers: [['a', 'b,']] }),
    ];
    assert.equal(new Set(probes.map(probeKey)).size, probes.length);
  });
});

describe('sharing', () => {
  it('one probe serves all who ask the same question of the same target', () => {
    const checks = ['a', 'b', 'c'].map((id) => check(id));
    const { sharing, addedProbes, addedJudges } = shareProbes(noSharing, checks, nothingKnown);
    assert.equal(addedProbes.length, 1);
    assert.equal(addedJudges.length, 1);
    assert.equal(new Set(sharing.judgeOf.values()).size, 1);
  });

  it('other thresholds are another judge of the same probe', () => {
    const strict = { policy: { successThreshold: 2, failureThreshold: 1 } };
    const { addedProbes, addedJudges } = shareProbes(
      noSharing,
      [check('a'), check('b', strict)],
      nothingKnown,
    );
    assert.equal(addedProbes.length, 1);
    assert.equal(addedJudges.length, 2);
  });

  it('the same checks again change nothing, and neither does their order', () => {
    const checks = [check('a'), check('b', { probe: probe('192.0.2.2') })];
    const { sharing } = shareProbes(noSharing, checks, nothingKnown);
    const again = shareProbes(sharing, structuredClone(checks).toReversed(), nothingKnown);
    assert.deepEqual(
      [again.addedProbes, again.removedProbes, again.addedJudges, again.removedJudges],
      [[], [], [], []],
    );
  });

  it('an edited check goes on from its verdict, and its neighbours do not notice', () => {
    const down: Verdict = { ...firstVerdict({ kind: 'kept', isUp: false }, 0), reason: 'ConnectionRefused' };
    const first = shareProbes(
      noSharing,
      [check('a'), check('b', { probe: probe('192.0.2.2') })],
      nothingKnown,
    );
    const edited = [
      check('a', { probe: probe('192.0.2.1', http) }),
      check('b', { probe: probe('192.0.2.2') }),
    ];
    const change = shareProbes(first.sharing, edited, () => down);
    assert.equal(change.addedProbes.length, 1);
    assert.equal(change.removedProbes.length, 1);
    assert.deepEqual(
      change.addedJudges.map(({ beginning }) => beginning),
      [{ kind: 'kept', isUp: false, reason: 'ConnectionRefused', sinceMs: 0 }],
    );
    assert.equal(change.sharing.judgeOf.get('b'), first.sharing.judgeOf.get('b'));
  });

  it('a check that was never proven begins as its new form says', () => {
    const first = shareProbes(noSharing, [check('a')], nothingKnown);
    const unproven = firstVerdict({ kind: 'new', initialState: 'Down' }, 0);
    const edited = check('a', {
      probe: probe('192.0.2.1', http),
      beginning: { kind: 'new', initialState: 'Up' },
    });
    const { addedJudges } = shareProbes(first.sharing, [edited], () => unproven);
    assert.deepEqual(addedJudges[0]?.beginning, { kind: 'new', initialState: 'Up' });
  });

  it('keeps books that agree with themselves through any sequence of changes', () => {
    const anyCheck: fc.Arbitrary<Check> = fc.record({
      id: fc.constantFrom('a', 'b', 'c', 'd', 'e'),
      probe: fc
        .record({ last: fc.integer({ min: 1, max: 3 }), path: fc.constantFrom('/', '/x') })
        .map(({ last, path }) => probe(`192.0.2.${last}`, { ...http, path })),
      policy: fc.record({ successThreshold: fc.constantFrom(1, 2), failureThreshold: fc.constant(3) }),
      beginning: fc.constant({ kind: 'new' as const, initialState: 'Down' as const }),
    });
    const states = fc.array(fc.uniqueArray(anyCheck, { selector: ({ id }) => id, maxLength: 5 }), {
      maxLength: 8,
    });
    fc.assert(
      fc.property(states, (sequence) => {
        let sharing = noSharing;
        const probes = new Set<number>();
        const judges = new Set<number>();
        for (const checks of sequence) {
          const change = shareProbes(sharing, checks, nothingKnown);
          for (const id of change.removedProbes) assert.ok(probes.delete(id));
          for (const id of change.removedJudges) assert.ok(judges.delete(id));
          for (const { id } of change.addedProbes) probes.add(id);
          for (const { judge } of change.addedJudges) judges.add(judge.id);
          sharing = change.sharing;
          assert.deepEqual(probes, new Set([...sharing.probes.values()].map(({ id }) => id)));
          assert.deepEqual(judges, new Set([...sharing.judgeOf.values()].map(({ id }) => id)));
          assert.equal(sharing.probes.size, new Set(checks.map((one) => probeKey(one.probe))).size);
          assert.deepEqual(new Set(sharing.judgeOf.keys()), new Set(checks.map(({ id }) => id)));
        }
      }),
    );
  });
});
