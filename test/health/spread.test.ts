import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { firstProbeDelayMs, jitterShare, nextProbeAtMs, phaseOf } from '../../src/health/spread.ts';

describe('the spread of probes', () => {
  it('10,000 probes fill their interval: no tenth of a second is a fifth off its share', () => {
    const intervalMs = 5000;
    const slots = Array.from({ length: 50 }, () => 0);
    let random = 7;
    const chance = () => (random = (random * 48_271) % 2_147_483_647) / 2_147_483_647;
    for (let n = 0; n < 10_000; n++) {
      const at = nextProbeAtMs(phaseOf(n), intervalMs, { startMs: 1_000_000, endMs: 1_000_000 }, chance());
      const slot = Math.floor((((at % intervalMs) + intervalMs) % intervalMs) / 100);
      slots[slot] = (slots[slot] ?? 0) + 1;
    }
    assert.ok(Math.max(...slots) <= 240 && Math.min(...slots) >= 160, slots.join(' '));
  });

  it('a probe keeps its pace, however long it takes: each turn is one interval after the last, give or take jitter', () => {
    fc.assert(
      fc.property(
        fc.nat(100_000),
        fc.integer({ min: 1000, max: 60_000 }),
        fc.array(fc.double({ min: 0, max: 0.999_999, noNaN: true }), { minLength: 2, maxLength: 20 }),
        // A timeout may be as long as the interval, and a timer comes late.
        fc.double({ min: 0, max: 1.05, noNaN: true }),
        (ordinal, intervalMs, chances, share) => {
          const phase = phaseOf(ordinal);
          let at = nextProbeAtMs(phase, intervalMs, { startMs: 12_345, endMs: 12_345 }, 0.5);
          for (const chance of chances) {
            const next = nextProbeAtMs(
              phase,
              intervalMs,
              { startMs: at, endMs: at + share * intervalMs },
              chance,
            );
            const off = Math.abs(next - at - intervalMs);
            assert.ok(off <= jitterShare * intervalMs + 1e-6, `${off}`);
            at = next;
          }
        },
      ),
    );
  });

  it('never sooner than half an interval, less jitter, and never later than one and a half', () => {
    fc.assert(
      fc.property(
        fc.nat(10_000),
        fc.double({ min: 0, max: 1e9, noNaN: true }),
        fc.double({ min: 0, max: 0.999, noNaN: true }),
        (ordinal, now, chance) => {
          const delay = nextProbeAtMs(phaseOf(ordinal), 2000, { startMs: now, endMs: now }, chance) - now;
          assert.ok(delay >= 1000 - 51 && delay <= 3000 + 51, `${delay}`);
        },
      ),
    );
  });

  it('a newcomer is asked at once, and a crowd at one a millisecond, within one interval', () => {
    assert.equal(firstProbeDelayMs(0, 1, 2000), 0);
    assert.equal(firstProbeDelayMs(99, 100, 2000), 99);
    assert.ok(firstProbeDelayMs(9999, 10_000, 2000) < 2000);
  });
});
