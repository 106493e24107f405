import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Backoff } from '../../src/kube/backoff.ts';

function delays(random: number, atMs: readonly number[]): number[] {
  const backoff = new Backoff({ firstMs: 800, longestMs: 30_000, forgetMs: 120_000, random: () => random });
  return atMs.map((nowMs) => backoff.nextDelayMs(nowMs));
}

describe('backoff', () => {
  it('doubles up to the longest delay', () => {
    assert.deepEqual(
      delays(1, [0, 1, 2, 3, 4, 5, 6, 7]),
      [800, 1600, 3200, 6400, 12_800, 25_600, 30_000, 30_000],
    );
  });

  it('spreads over the upper half of the step', () => {
    assert.deepEqual([...delays(0, [0, 1]), ...delays(0.5, [0])], [400, 800, 600]);
  });

  it('begins anew after a quiet time, which starts when the delay has passed', () => {
    assert.deepEqual(delays(1, [0, 120_799]), [800, 1600]);
    assert.deepEqual(delays(1, [0, 120_800]), [800, 800]);
  });

  it('stays finite however often something fails', () => {
    assert.equal(
      delays(
        1,
        Array.from({ length: 5000 }, () => 0),
      ).at(-1),
      30_000,
    );
  });
});
