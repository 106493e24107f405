import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { advisedKernelWeight, kernelWeights } from '../../src/plan/index.ts';

/** The kernel's own loop (ip_vs_sh_reassign): who gets how many of the 256 buckets. */
function bucketsOf(weights: readonly number[]): readonly number[] {
  const buckets = weights.map(() => 0);
  let server = 0;
  let filled = 0;
  for (let bucket = 0; bucket < 256; bucket++) {
    if (server === weights.length) server = 0;
    buckets[server] = (buckets[server] ?? 0) + 1;
    if (++filled >= (weights[server] ?? 0)) {
      server++;
      filled = 0;
    }
  }
  return buckets;
}

describe('weights that follow the load', () => {
  for (const [scheduler, advised, expected] of [
    ['wrr', 100, 10],
    ['wrr', 4, 1],
    ['wrr', 0, 0],
    ['wlc', 137, 137],
    ['sed', 1, 1],
  ] as const)
    it(`${advised} is ${expected} under ${scheduler}`, () =>
      assert.equal(advisedKernelWeight(scheduler, advised), expected));
});

describe('kernel weights', () => {
  const scenarios: readonly (readonly [string, string, readonly number[], readonly number[]])[] = [
    ['wrr takes weights as they are', 'wrr', [100, 1000, 0], [100, 1000, 0]],
    ['mh takes weights as they are', 'mh', [300, 700], [300, 700]],
    ['sh shares equal weights evenly', 'sh', [100, 100], [1, 1]],
    ['sh keeps simple proportions in small rounds', 'sh', [200, 100, 100], [2, 1, 1]],
    ['sh gives crooked proportions all 256 buckets', 'sh', [100, 99], [129, 127]],
    ['sh keeps a tiny server in the table', 'sh', [1000, 1], [255, 1]],
    ['sh leaves quiesced servers at 0', 'sh', [100, 0, 100], [1, 0, 1]],
    ['sh has nothing to share when all are at 0', 'sh', [0, 0], [0, 0]],
    ['sh without servers', 'sh', [], []],
  ];
  for (const [name, scheduler, configured, expected] of scenarios) {
    it(name, () => assert.deepEqual(kernelWeights(scheduler, configured), expected));
  }

  it('sh: proportions in the kernel table are as configured, within a tenth or two buckets', () => {
    const weights = fc.array(fc.integer({ min: 1, max: 1000 }), { minLength: 1, maxLength: 32 });
    fc.assert(
      fc.property(weights, (configured) => {
        const programmed = kernelWeights('sh', configured);
        const buckets = bucketsOf(programmed);
        const sum = configured.reduce((a, b) => a + b, 0);
        for (const [index, weight] of configured.entries()) {
          const fair = (256 * weight) / sum;
          const share = buckets[index] ?? 0;
          // Everybody has at least one bucket, which the largest pay for.
          const slack = Math.max(2, fair * 0.1, configured.length);
          assert.ok(
            Math.abs(share - fair) <= slack,
            `${share} buckets where ${fair} are fair: ${configured}`,
          );
          assert.ok(share >= 1);
        }
      }),
    );
  });

  it('sh: the sum stays within the table, zero stays zero, others stay above', () => {
    const weights = fc.array(fc.integer({ min: 0, max: 1000 }), { minLength: 1, maxLength: 200 });
    fc.assert(
      fc.property(weights, (configured) => {
        const programmed = kernelWeights('sh', configured);
        const round = programmed.reduce((sum, weight) => sum + Math.max(1, weight), 0);
        assert.ok(round <= 256, `a round takes ${round} buckets`);
        for (const [index, weight] of configured.entries())
          assert.equal((programmed[index] ?? 0) > 0, weight > 0);
      }),
    );
  });
});
