import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { RetryGate } from '../../src/director/retry-gate.ts';

const same = (): string => 'weight 5';

describe('retry gate', () => {
  it('is open for what never failed', () => {
    assert.equal(new RetryGate().isOpen('a', same, 0), true);
  });

  it('waits 1, 2, 4 … 60 seconds and forgets on success', () => {
    const gate = new RetryGate();
    let nowMs = 0;
    for (const seconds of [1, 2, 4, 8, 16, 32, 60, 60]) {
      gate.recordFailure('a', same(), nowMs);
      assert.equal(gate.isOpen('a', same, nowMs + seconds * 1000 - 1), false);
      nowMs += seconds * 1000;
      assert.equal(gate.isOpen('a', same, nowMs), true);
    }
    gate.recordFailure('a', same(), nowMs);
    gate.recordSuccess('a');
    assert.equal(gate.isOpen('a', same, nowMs), true);
  });

  it('calls only the first failure of a row new', () => {
    const gate = new RetryGate();
    assert.equal(gate.recordFailure('a', same(), 0), true);
    assert.equal(gate.recordFailure('a', same(), 1000), false);
    gate.recordSuccess('a');
    assert.equal(gate.recordFailure('a', same(), 2000), true);
  });

  it('holds one entry back without holding others', () => {
    const gate = new RetryGate();
    gate.recordFailure('a', same(), 0);
    assert.equal(gate.isOpen('b', same, 0), true);
  });

  it('lets another wish for the same entry through at once, and counts it anew', () => {
    const gate = new RetryGate();
    for (let i = 0; i < 5; i++) gate.recordFailure('a', same(), 0);
    assert.equal(
      gate.isOpen('a', () => 'weight 6', 1),
      true,
    );
    assert.equal(gate.recordFailure('a', 'weight 6', 1), true);
    assert.equal(
      gate.isOpen('a', () => 'weight 6', 1000),
      false,
    );
    assert.equal(
      gate.isOpen('a', () => 'weight 6', 1001),
      true,
    );
  });
});
