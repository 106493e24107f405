import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Condition } from '../../src/api/index.ts';
import { carryConditions } from '../../src/director/director-report.ts';

function condition(type: string, status: Condition['status'], lastTransitionTime: string): Condition {
  return { type, status, reason: 'Said', message: 'Said.', lastTransitionTime };
}

describe('the conditions of a Director', () => {
  it('keep their times and their order, the new ones behind the others, and those that are gone go', () => {
    const stored = [
      condition('Programmed', 'True', '2026-01-01T00:00:00Z'),
      condition('ForeignHands', 'True', '2026-01-02T00:00:00Z'),
      condition('Ready', 'True', '2026-01-03T00:00:00Z'),
    ];
    const said = [
      condition('Ready', 'False', '2026-02-01T00:00:00Z'),
      condition('DirectorIsolated', 'True', '2026-02-02T00:00:00Z'),
      condition('Programmed', 'True', '2026-02-03T00:00:00Z'),
    ];
    assert.deepEqual(carryConditions(stored, said, 7), [
      { ...condition('Programmed', 'True', '2026-01-01T00:00:00Z'), observedGeneration: 7 },
      { ...condition('Ready', 'False', '2026-02-01T00:00:00Z'), observedGeneration: 7 },
      { ...condition('DirectorIsolated', 'True', '2026-02-02T00:00:00Z'), observedGeneration: 7 },
    ]);
  });
});
