import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { confirmableMs, judgeAbsence } from '../../src/kube/absence.ts';
import type { HeldAbsence, ListedAbsence } from '../../src/kube/absence.ts';

/** So many keys, `w0` and up. */
const keys = (count: number, from = 0): Set<string> =>
  new Set(Array.from({ length: count }, (_, index) => `w${from + index}`));

/** A list at 100 s that lacks so many of so many. */
const lacking = (absent: number, knownCount: number, more: Partial<ListedAbsence> = {}): ListedAbsence => ({
  absent: keys(absent),
  knownCount,
  listedCount: knownCount - absent,
  isExpected: false,
  askedMs: 100_000,
  nowMs: 100_000,
  ...more,
});

const held = (count: number, sinceMs: number): HeldAbsence => ({ keys: keys(count), sinceMs });

describe('absence', () => {
  const first: [scenario: string, list: ListedAbsence, isHeld: boolean][] = [
    ['nothing is missing', lacking(0, 100), false],
    ['half is missing', lacking(50, 100), false],
    ['more than half is missing', lacking(51, 100), true],
    ['ten are missing of eleven', lacking(10, 11), false],
    ['eleven are missing of twelve', lacking(11, 12), true],
    ['eleven are missing of many', lacking(11, 1000), false],
    ['a replacement of everything lacks all', { ...lacking(12, 12), listedCount: 12 }, true],
    ['the list is empty and one object was known', lacking(1, 1), true],
    ['the list is empty and so is the store', lacking(0, 0), false],
    ['the first list is empty against the evidence', lacking(0, 0, { isExpected: true }), true],
    ['the first list is not empty', lacking(0, 0, { isExpected: true, listedCount: 3 }), false],
  ];
  for (const [scenario, list, isHeld] of first) {
    it(`is ${isHeld ? 'held' : 'believed'} when ${scenario}`, () => {
      const verdict = judgeAbsence(list, undefined);
      assert.deepEqual(verdict, isHeld ? { keys: list.absent, sinceMs: 100_000 } : undefined);
    });
  }

  const since = 90_000;
  const second: [scenario: string, list: ListedAbsence, outcome: 'believed' | 'waits on' | 'begins anew'][] =
    [
      ['a list 5 s later lacks the same', lacking(60, 100, { askedMs: since + 5000 }), 'believed'],
      ['it was asked for too early', lacking(60, 100, { askedMs: since + 4999 }), 'waits on'],
      ['a list 5 s later lacks fewer of them', lacking(55, 100, { askedMs: since + 5000 }), 'believed'],
      ['a list lacks one more', lacking(61, 100), 'begins anew'],
      ['a list lacks others', lacking(60, 100, { absent: keys(60, 30) }), 'begins anew'],
      ['all but a few are there again', lacking(3, 100, { askedMs: since + 1 }), 'believed'],
      ['a list is empty', lacking(100, 100), 'begins anew'],
    ];
  for (const [scenario, list, outcome] of second) {
    it(`${outcome} when ${scenario}`, () => {
      const last = held(60, since);
      const verdict = judgeAbsence(list, last);
      if (outcome === 'believed') assert.equal(verdict, undefined);
      else if (outcome === 'waits on') assert.equal(verdict, last);
      else assert.deepEqual(verdict, { keys: list.absent, sinceMs: list.nowMs });
    });
  }

  it('believes an empty first list when a second says the same', () => {
    const empty = (askedMs: number): ListedAbsence => lacking(0, 0, { isExpected: true, askedMs });
    const last = judgeAbsence(empty(100_000), undefined);
    assert.ok(last !== undefined);
    assert.equal(confirmableMs(last), 105_000);
    assert.equal(judgeAbsence(empty(104_000), last), last);
    assert.equal(judgeAbsence(empty(105_000), last), undefined);
  });
});
