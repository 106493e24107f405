import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { RetryGate } from '../../src/director/retry-gate.ts';

describe('retry gate', () => {
  it('is open for what never failed', () => {
    assert.equal(new RetryGate().isOpen('a', 0), true);
  });

  it('waits 1, 2, 4 … 60 seconds and forgets on success', () => {
    const gate = new RetryGate();
    let nowMs = 0;
    const waits: number[] = [];
    for (let i = 0; i < 8; i++) {
      gate.recordFailure('a', nowMs);
      const retryAtMs = gate.nextRetryAtMs() ?? 0;
      waits.push((retryAtMs - nowMs) / 1000);
      assert.equal(gate.isOpen('a', retryAtMs - 1), false);
      assert.equal(gate.isOpen('a', retryAtMs), true);
      nowMs = retryAtMs;
    }
    assert.deepEqual(waits, [1, 2, 4, 8, 16, 32, 60, 60]);
    gate.recordSuccess('a');
    assert.equal(gate.nextRetryAtMs(), undefined);
  });

  it('calls only the first failure of a row new', () => {
    const gate = new RetryGate();
    assert.equal(gate.recordFailure('a', 0), true);
    assert.equal(gate.recordFailure('a', 1000), false);
    gate.recordSuccess('a');
    assert.equal(gate.recordFailure('a', 2000), true);
  });

  it('holds one entry back without holding others', () => {
    const gate = new RetryGate();
    gate.recordFailure('a', 0);
    assert.equal(gate.isOpen('b', 0), true);
  });
});
