import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { judgeFirstComputation, judgeNextComputation } from '../../src/controller/startup-hold.ts';

const names = (from: number, to: number): Set<string> =>
  new Set(Array.from({ length: to - from }, (_, index) => `shop/web 10.0.0.${from + index}`));

describe('the first computation after a start', () => {
  const scenarios: readonly (readonly [string, number, number, 'held' | 'believed'])[] = [
    ['nothing goes', 100, 0, 'believed'],
    ['nothing is there', 0, 0, 'believed'],
    ['half goes', 100, 50, 'believed'],
    ['more than half goes', 100, 51, 'held'],
    ['more than half goes, of few', 19, 10, 'believed'],
    ['eleven of twenty go', 20, 11, 'held'],
    ['everything goes, of few', 3, 3, 'held'],
    ['the only endpoint goes', 1, 1, 'held'],
  ];
  for (const [name, existing, removed, expected] of scenarios) {
    it(`${name}: ${expected}`, () => {
      const hold = judgeFirstComputation({ existing, removed: names(0, removed) }, 1000);
      assert.equal(hold === undefined ? 'believed' : 'held', expected);
    });
  }
});

describe('a second list', () => {
  const hold = judgeFirstComputation({ existing: 100, removed: names(0, 60) }, 1000);
  assert.ok(hold);
  const judge = (removed: Set<string>, askedMs: number) =>
    judgeNextComputation(hold, { existing: 100, removed }, { askedMs, nowMs: askedMs + 5 });

  it('confirms by the same removals, if asked for five seconds later', () => {
    assert.equal(judge(names(0, 60), 6000), undefined);
  });
  it('confirms by fewer removals', () => {
    assert.equal(judge(names(0, 55), 6000), undefined);
  });
  it('confirms nothing when it was asked for too soon', () => {
    assert.equal(judge(names(0, 60), 5999), hold);
  });
  it('ends the hold at once when little would go after all', () => {
    assert.equal(judge(names(0, 5), 1500), undefined);
  });
  it('begins the wait anew when it contradicts the first', () => {
    assert.deepEqual(judge(names(30, 90), 6000), { endpoints: names(30, 90), sinceMs: 6005 });
  });
});
