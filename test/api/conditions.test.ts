import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { mergeCondition } from '../../src/api/index.ts';
import type { Condition } from '../../src/api/index.ts';

const early = '2026-01-01T00:00:00Z';
const late = '2026-01-02T00:00:00Z';
const ready = { type: 'Ready', status: 'True', reason: 'Programmed', message: 'Serves.' } as const;
const before: readonly Condition[] = [
  { ...ready, lastTransitionTime: early },
  { type: 'Accepted', status: 'True', reason: 'Valid', message: '', lastTransitionTime: early },
];

describe('mergeCondition', () => {
  it('adds a condition of a new type at the end', () => {
    const verdict = { type: 'Programmed', status: 'False', reason: 'Refused', message: 'No.' } as const;
    assert.deepEqual(mergeCondition(before, verdict, late), [
      ...before,
      { ...verdict, lastTransitionTime: late },
    ]);
  });

  it('gives back the same list when nothing changed', () => {
    assert.equal(mergeCondition(before, ready, late), before);
  });

  it('keeps the transition time when only the words or the generation change', () => {
    const merged = mergeCondition(before, { ...ready, message: 'Serves two.', observedGeneration: 2 }, late);
    assert.equal(merged[0]?.lastTransitionTime, early);
    assert.equal(merged[0]?.message, 'Serves two.');
    assert.equal(merged[1], before[1]);
  });

  it('moves the transition time when the status changes', () => {
    assert.equal(mergeCondition(before, { ...ready, status: 'False' }, late)[0]?.lastTransitionTime, late);
  });
});
