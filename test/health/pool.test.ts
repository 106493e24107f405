import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { dampVerdict, newFlapHistory } from '../../src/health/flap-damping.ts';
import { holdWhileIsolated, judgeIsolation } from '../../src/health/isolation.ts';
import type { ServiceView } from '../../src/health/isolation.ts';
import { defaultQuorum, isPanicking, isQuorumMet } from '../../src/health/quorum.ts';
import type { QuorumPolicy } from '../../src/health/quorum.ts';
import { rampWeight } from '../../src/health/slow-start.ts';

describe('flap damping', () => {
  /** Follows a server that turns at the given seconds, looking once a second. */
  function changesOf(turns: readonly number[], seconds: number): { atS: number; isUp: boolean }[] {
    let history = newFlapHistory(true);
    const changes: { atS: number; isUp: boolean }[] = [];
    for (let s = 0; s <= seconds; s++) {
      const verdictIsUp = turns.filter((turn) => turn <= s).length % 2 === 0;
      const damped = dampVerdict(history, verdictIsUp, s * 1000);
      if (damped.isUp !== history.isUp) changes.push({ atS: s, isUp: damped.isUp });
      history = damped.history;
    }
    return changes;
  }

  it('a server that fails once is back as soon as its checks say so', () => {
    assert.deepEqual(changesOf([10, 14], 100), [
      { atS: 10, isUp: false },
      { atS: 14, isUp: true },
    ]);
  });

  it('one that falls again rises a minute after its fall', () => {
    assert.deepEqual(
      changesOf([10, 14, 20, 24], 200).map(({ atS }) => atS),
      [10, 14, 20, 80],
    );
  });

  it('falls are never held back', () => {
    fc.assert(
      fc.property(fc.array(fc.boolean(), { maxLength: 200 }), (script) => {
        let history = newFlapHistory(true);
        for (const [second, isUp] of script.entries()) {
          const damped = dampVerdict(history, isUp, second * 1000);
          assert.ok(isUp || !damped.isUp);
          history = damped.history;
        }
      }),
    );
  });

  it('a flapping server costs at most 2 changes in any minute, once it has fallen twice', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 4, maxLength: 60 }), (gaps) => {
        let at = 0;
        const changes = changesOf(
          gaps.map((gap) => (at += gap)),
          700,
        );
        const afterSecondFall = changes.slice(2);
        for (const [index, { atS }] of afterSecondFall.entries()) {
          const third = afterSecondFall[index + 2];
          assert.ok(third === undefined || third.atS - atS >= 60, JSON.stringify(changes));
        }
      }),
    );
  });

  it('forgets falls after ten minutes', () => {
    assert.deepEqual(
      changesOf([10, 14, 620, 624], 700).map(({ atS }) => atS),
      [10, 14, 620, 624],
    );
  });

  it('says until when a rise is held', () => {
    const history = { fallsMs: [0, 20_000], isUp: false };
    assert.equal(dampVerdict(history, true, 30_000).heldUntilMs, 80_000);
    assert.equal(dampVerdict(history, true, 80_000).isUp, true);
  });
});

describe('the isolation guard', () => {
  const all = (count: number, serving: number, failing: number): ServiceView[] =>
    Array.from({ length: count }, () => ({ serving, failing }));
  const table: [
    scenario: string,
    services: ServiceView[],
    failingHosts: number,
    was: boolean,
    is: boolean,
  ][] = [
    ['nothing fails', all(10, 3, 0), 0, false, false],
    ['everything fails', all(10, 3, 3), 30, false, true],
    ['most servers of most services', [...all(6, 3, 2), ...all(4, 3, 0)], 12, false, true],
    ['one service of many', [...all(1, 3, 3), ...all(9, 3, 0)], 3, false, false],
    ['half of the servers of every service: a rack', all(10, 4, 2), 20, false, false],
    ['the only service there is: nothing to compare with', all(1, 3, 3), 3, false, false],
    ['two services on one host that died', all(2, 1, 1), 1, false, false],
    ['no service at all', [], 0, false, false],
    ['services that were down before have no say', [...all(9, 0, 0), ...all(2, 3, 3)], 6, false, true],
    ['it lasts while more than a quarter is lost', [...all(3, 3, 3), ...all(7, 3, 0)], 9, true, true],
    ['and ends at a quarter', [...all(2, 3, 3), ...all(6, 3, 0)], 6, true, false],
  ];
  for (const [scenario, services, failingHosts, wasIsolated, expected] of table) {
    it(scenario, () => {
      const isolation = judgeIsolation({ services, failingHosts, isUplinkDown: false, wasIsolated });
      assert.equal(isolation, expected ? 'MostServersFail' : undefined);
    });
  }

  it('an uplink without carrier is isolation by itself', () => {
    const isolation = judgeIsolation({
      services: [],
      failingHosts: 0,
      isUplinkDown: true,
      wasIsolated: false,
    });
    assert.equal(isolation, 'NoUplink');
  });

  it('holds those that were up, and lets others rise', () => {
    assert.deepEqual(
      [
        holdWhileIsolated(false, true, true),
        holdWhileIsolated(false, false, true),
        holdWhileIsolated(true, false, true),
        holdWhileIsolated(false, true, false),
      ],
      [true, false, true, false],
    );
  });
});

describe('quorum', () => {
  const members = (up: number, total: number, configuredWeight = 100) =>
    Array.from({ length: total }, (_, index) => ({ isUp: index < up, configuredWeight }));
  const table: [scenario: string, policy: QuorumPolicy, up: number, was: boolean | undefined, is: boolean][] =
    [
      ['one server is enough by default', defaultQuorum, 1, false, true],
      ['none is not', defaultQuorum, 0, true, false],
      [
        'down below minimum less hysteresis',
        { countIn: 'Servers', isPercent: false, minimum: 3, hysteresis: 1 },
        1,
        true,
        false,
      ],
      [
        'stays met inside the band',
        { countIn: 'Servers', isPercent: false, minimum: 3, hysteresis: 1 },
        2,
        true,
        true,
      ],
      [
        'stays lost inside the band',
        { countIn: 'Servers', isPercent: false, minimum: 3, hysteresis: 1 },
        3,
        false,
        false,
      ],
      [
        'met at minimum plus hysteresis',
        { countIn: 'Servers', isPercent: false, minimum: 3, hysteresis: 1 },
        4,
        false,
        true,
      ],
      [
        'the first answer goes by the minimum',
        { countIn: 'Servers', isPercent: false, minimum: 3, hysteresis: 1 },
        3,
        undefined,
        true,
      ],
      [
        'percent of servers',
        { countIn: 'Servers', isPercent: true, minimum: 50, hysteresis: 0 },
        2,
        undefined,
        false,
      ],
      [
        'percent reached',
        { countIn: 'Servers', isPercent: true, minimum: 50, hysteresis: 0 },
        3,
        undefined,
        true,
      ],
      [
        'configured weight',
        { countIn: 'Weight', isPercent: false, minimum: 250, hysteresis: 0 },
        3,
        undefined,
        true,
      ],
      [
        'hysteresis never serves with nothing',
        { countIn: 'Servers', isPercent: false, minimum: 1, hysteresis: 5 },
        0,
        true,
        false,
      ],
      [
        'all of it is enough, whatever was asked',
        { countIn: 'Servers', isPercent: false, minimum: 9, hysteresis: 2 },
        5,
        false,
        true,
      ],
    ];
  for (const [scenario, policy, up, was, expected] of table) {
    it(scenario, () => assert.equal(isQuorumMet(policy, members(up, 5), was), expected));
  }

  it('more servers never lose it', () => {
    fc.assert(
      fc.property(
        fc.constantFrom('Servers' as const, 'Weight' as const),
        fc.boolean(),
        fc.nat(200),
        fc.nat(50),
        fc.nat(9),
        fc.boolean(),
        (countIn, isPercent, minimum, hysteresis, up, was) => {
          const policy = { countIn, isPercent, minimum, hysteresis };
          if (isQuorumMet(policy, members(up, 10, 7), was))
            assert.ok(isQuorumMet(policy, members(up + 1, 10, 7), was));
        },
      ),
    );
  });

  it('panic is below the threshold, and never at 0 percent', () => {
    assert.deepEqual(
      [isPanicking(50, 4, 10), isPanicking(50, 5, 10), isPanicking(0, 0, 10)],
      [true, false, false],
    );
    assert.equal(isPanicking(50, 0, 0), false);
  });
});

describe('slow start', () => {
  it('goes up in steps from a tenth to the whole', () => {
    const weights = [0, 9_999, 10_000, 50_000, 99_999, 100_000].map(
      (nowMs) => rampWeight(110, 0, 100_000, nowMs).weight,
    );
    assert.deepEqual(weights, [10, 10, 20, 60, 100, 110]);
  });

  it('is monotone, never 0 for a server with weight, and names a step that is ahead', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 1000 }),
        fc.integer({ min: 1, max: 600_000 }),
        fc.nat(700_000),
        (full, duration, now) => {
          const here = rampWeight(full, 0, duration, now);
          assert.ok(here.weight >= 1 && here.weight <= full);
          assert.equal(here.nextStepAtMs === undefined, now >= duration);
          if (here.nextStepAtMs === undefined) return;
          assert.ok(here.nextStepAtMs > now);
          assert.ok(rampWeight(full, 0, duration, here.nextStepAtMs).weight >= here.weight);
        },
      ),
    );
    assert.equal(rampWeight(0, 0, 1000, 0).weight, 0);
  });

  it('costs at most ten writes', () => {
    const seen = new Set(
      Array.from({ length: 600 }, (_, s) => rampWeight(1000, 0, 600_000, s * 1000).weight),
    );
    assert.ok(seen.size <= 10, `${seen.size}`);
  });
});
