import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { failed, passed, voided } from '../../src/health/outcome.ts';
import type { ProbeOutcome } from '../../src/health/outcome.ts';
import { firstVerdict, isSuspect, nextVerdict } from '../../src/health/verdict.ts';
import type { Beginning, Verdict } from '../../src/health/verdict.ts';

const policy = { successThreshold: 2, failureThreshold: 3 };
const outcomes: Readonly<Record<string, ProbeOutcome>> = {
  p: passed,
  f: failed('ConnectTimeout'),
  v: voided('ProberLate'),
};
const newDown: Beginning = { kind: 'new', initialState: 'Down' };
const newUp: Beginning = { kind: 'new', initialState: 'Up' };
const keptUp: Beginning = { kind: 'kept', isUp: true };
const keptDown: Beginning = { kind: 'kept', isUp: false, reason: 'ConnectionRefused' };

function run(beginning: Beginning, script: string): Verdict[] {
  const verdicts = [firstVerdict(beginning, 0)];
  for (const [index, letter] of Array.from(script).entries()) {
    const last = verdicts.at(-1);
    const outcome = outcomes[letter];
    assert.ok(last && outcome);
    verdicts.push(nextVerdict(last, outcome, policy, index + 1));
  }
  return verdicts;
}

/** U or D after each probe. */
const states = (beginning: Beginning, script: string) =>
  run(beginning, script)
    .slice(1)
    .map(({ isUp }) => (isUp ? 'U' : 'D'))
    .join('');

describe('a verdict', () => {
  const table: [scenario: string, beginning: Beginning, script: string, states: string][] = [
    ['a new server comes up with its first success', newDown, 'fffpp', 'DDDDU'],
    ['and at once where nothing failed before', newDown, 'p', 'U'],
    ['a new server that starts up falls like any other', newUp, 'fff', 'UUD'],
    ['a success breaks a row of failures', keptUp, 'ffpffpfff', 'UUUUUUUUD'],
    ['a failure breaks a row of successes', keptDown, 'pfpp', 'DDDU'],
    ['void probes neither count nor break a row', keptUp, 'fvvfvvf', 'UUUUUUD'],
    ['void probes do not prove a new server', newDown, 'vvv', 'DDD'],
    ['the state of the kernel stands until the thresholds are reached', keptDown, 'pp', 'DU'],
  ];
  for (const [scenario, beginning, script, expected] of table) {
    it(scenario, () => assert.equal(states(beginning, script), expected));
  }

  it('says since when, and why', () => {
    const [, , , down, , up] = run(keptUp, 'fffpp');
    assert.deepEqual([down?.sinceMs, down?.reason], [3, 'ConnectTimeout']);
    assert.deepEqual([up?.sinceMs, up?.reason], [5, undefined]);
  });

  it('is suspect from the first failure until it turns or is confirmed', () => {
    assert.deepEqual(run(keptUp, 'fpfff').map(isSuspect), [false, true, false, true, true, false]);
  });

  it('is the same object where nothing changed', () => {
    const verdict = firstVerdict(keptUp, 0);
    assert.equal(nextVerdict(verdict, passed, policy, 1), verdict);
    assert.equal(nextVerdict(verdict, voided('LocalResources'), policy, 1), verdict);
  });

  it('turns exactly when a row of contradictions reaches its threshold', () => {
    fc.assert(
      fc.property(
        fc.boolean(),
        fc.array(fc.constantFrom('p', 'f', 'v'), { maxLength: 40 }),
        (isUp, script) => {
          let state = isUp;
          let row = 0;
          const expected = script.map((letter) => {
            if (letter !== 'v') {
              row = (letter === 'p') === state ? 0 : row + 1;
              if (row === (state ? policy.failureThreshold : policy.successThreshold)) {
                state = !state;
                row = 0;
              }
            }
            return state ? 'U' : 'D';
          });
          assert.equal(states({ kind: 'kept', isUp }, script.join('')), expected.join(''));
        },
      ),
    );
  });
});

/**
 * How often a healthy server is called down, computed from the state machine itself: the states that it can reach form
 * a Markov chain, and the rate of false falls is the chance of being one failure away from one, times that of a failure.
 */
function falseFallsPerProbe(failure: number, { failureThreshold, successThreshold } = policy): number {
  const thresholds = { failureThreshold, successThreshold };
  const nameOf = ({ isUp, against }: Verdict) => `${isUp} ${against}`;
  const start = firstVerdict(keptUp, 0);
  const known = new Map([[nameOf(start), start]]);
  for (const verdict of known.values()) {
    for (const outcome of [passed, failed('ConnectTimeout')]) {
      const next = nextVerdict(verdict, outcome, thresholds, 0);
      known.set(nameOf(next), known.get(nameOf(next)) ?? next);
    }
  }
  let share = new Map([[nameOf(start), 1]]);
  let falls = 0;
  for (let i = 0; i < 200; i++) {
    const next = new Map<string, number>();
    falls = 0;
    for (const [name, probability] of share) {
      const verdict = known.get(name);
      assert.ok(verdict);
      for (const [outcome, chance] of [
        [passed, 1 - failure],
        [failed('ConnectTimeout'), failure],
      ] as const) {
        const after = nextVerdict(verdict, outcome, thresholds, 0);
        if (verdict.isUp && !after.isUp) falls += probability * chance;
        next.set(nameOf(after), (next.get(nameOf(after)) ?? 0) + probability * chance);
      }
    }
    share = next;
  }
  return falls;
}

describe('false falls of a healthy server, every 2 seconds with thresholds 3 and 2', () => {
  const probesPerDay = 86_400 / 2;
  /** A connection needs a SYN there and a SYN-ACK back; Linux repeats a SYN after 1 s only, which is our timeout. */
  const oneAttempt = (loss: number) => 1 - (1 - loss) ** 2;
  /** A probe that dials a second time within its timeout fails only when both attempts do. */
  const twoAttempts = (loss: number) => oneAttempt(loss) ** 2;

  const table: [scenario: string, failure: number, perDay: number][] = [
    ['1 % loss, one attempt: 0.33 a day, within the promise of one', oneAttempt(0.01), 0.3325],
    ['1 % loss, a second dial: 1 in 46 years', twoAttempts(0.01), 2.6809e-6 * 1.0055],
    ['5 % loss, one attempt: 35.8 a day', oneAttempt(0.05), 36.1],
    ['5 % loss, a second dial: one in 27 days', twoAttempts(0.05), 0.0368],
  ];
  for (const [scenario, failure, perDay] of table) {
    it(scenario, () => {
      const computed = falseFallsPerProbe(failure) * probesPerDay;
      assert.ok(Math.abs(computed / perDay - 1) < 0.02, `${computed} a day`);
    });
  }

  it('agrees with a simulation', () => {
    let random = 1;
    const chance = () => (random = (random * 48_271) % 2_147_483_647) / 2_147_483_647;
    const failure = oneAttempt(0.05);
    const probes = 2_000_000;
    let verdict = firstVerdict(keptUp, 0);
    let falls = 0;
    for (let i = 0; i < probes; i++) {
      const next = nextVerdict(verdict, chance() < failure ? failed('ConnectTimeout') : passed, policy, i);
      if (verdict.isUp && !next.isUp) falls++;
      verdict = next;
    }
    const expected = falseFallsPerProbe(failure) * probes;
    assert.ok(Math.abs(falls - expected) < 5 * Math.sqrt(expected), `${falls} falls, ${expected} expected`);
  });
});
