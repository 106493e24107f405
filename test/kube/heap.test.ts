import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { Heap } from '../../src/kube/heap.ts';

describe('heap', () => {
  it('gives out what comes first, whatever went in between', () => {
    fc.assert(
      fc.property(fc.array(fc.option(fc.integer({ min: 0, max: 50 })), { maxLength: 60 }), (steps) => {
        const heap = new Heap<number>((a, b) => a - b);
        const model: number[] = [];
        for (const step of steps) {
          if (step === null) assert.equal(heap.pop(), model.shift());
          else {
            heap.push(step);
            model.push(step);
            model.sort((a, b) => a - b);
          }
          assert.deepEqual([heap.peek(), heap.size], [model[0], model.length]);
        }
        assert.deepEqual(
          model.map(() => heap.pop()),
          model,
        );
      }),
    );
  });
});
