import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseIpAddress } from '../../src/base/index.ts';
import type { Ask, Attempt, Settle } from '../../src/health/attempt.ts';
import { failed, passed } from '../../src/health/outcome.ts';
import { Prober } from '../../src/health/prober.ts';
import type { ProberOptions } from '../../src/health/prober.ts';
import type { Probe, Target } from '../../src/health/question.ts';
import type { Verdict } from '../../src/health/verdict.ts';
import type { ProbeSample, Punctuality } from '../../src/health/worker-protocol.ts';
import { FakeTime } from '../kube/fake-time.ts';
import { probe } from './checks.ts';

const policy = { successThreshold: 2, failureThreshold: 3 };

/** A prober on a fake clock, whose servers are functions. */
class Rig {
  readonly time = new FakeTime();
  readonly started: { readonly atMs: number; readonly target: Target }[] = [];
  readonly verdicts = new Map<number, Verdict>();
  readonly samples: ProbeSample[] = [];
  readonly prober: Prober;
  abandoned = 0;
  /** What a server does with a probe; nothing is silence. */
  answer: (settle: Settle, target: Target) => void = (settle) => settle(passed);
  #ordinal = 0;

  constructor(options: Partial<ProberOptions> = {}) {
    const ask: Ask = (target, _timeoutMs, settle): Attempt => {
      this.started.push({ atMs: this.time.monotonicMs(), target });
      this.answer(settle, target);
      return { abandon: () => (this.abandoned++, 'ConnectTimeout') };
    };
    this.prober = new Prober({
      nowMs: () => this.time.monotonicMs(),
      timers: this.time,
      chance: () => 0.5,
      prepare: () => ask,
      report: ({ verdicts, samples }) => {
        for (const { judgeId, verdict } of verdicts) this.verdicts.set(judgeId, verdict);
        this.samples.push(...samples);
      },
      ...options,
    });
  }

  add(probes: readonly Probe[], isUp = true): void {
    const addedProbes = probes.map((one, index) => ({ id: index + 1, probe: one, ordinal: this.#ordinal++ }));
    const addedJudges = addedProbes.map(({ id }) => ({
      id: 1000 + id,
      probeId: id,
      policy,
      beginning: { kind: 'kept' as const, isUp },
    }));
    this.prober.update({ type: 'update', addedProbes, addedJudges, removedProbes: [], removedJudges: [] });
  }

  remove(id: number): void {
    const nothing = { addedProbes: [], addedJudges: [], removedJudges: [] };
    this.prober.update({ type: 'update', ...nothing, removedProbes: [id] });
  }
}

describe('the prober', () => {
  it('asks a newcomer at once and then keeps its pace', () => {
    const rig = new Rig();
    rig.add([probe('192.0.2.1')]);
    rig.time.advance(20_000);
    const times = rig.started.map(({ atMs }) => atMs);
    assert.ok((times[0] ?? 0) <= 1002);
    for (const [index, at] of times.slice(2).entries())
      assert.ok(Math.abs(at - (times[index + 1] ?? 0) - 2000) <= 2, times.join(' '));
    rig.prober.close();
  });

  it('a server that stops answering is down within thresholds × interval + timeout', () => {
    const rig = new Rig();
    rig.add([probe('192.0.2.1')]);
    rig.time.advance(5000);
    rig.answer = () => {};
    const last = rig.started.at(-1)?.atMs ?? 0;
    rig.time.advance(3 * 2000 + 1000 + 100);
    const verdict = rig.verdicts.get(1001);
    assert.equal(verdict?.isUp, false);
    assert.equal(verdict.reason, 'ConnectTimeout');
    assert.ok(verdict.sinceMs - last <= 7010, `${verdict.sinceMs - last} ms`);
    rig.prober.close();
  });

  for (const timeoutMs of [1000, 2000]) {
    it(`a silent server is asked at the same pace as one that answers (timeout ${timeoutMs} ms)`, () => {
      let random = 7;
      const chance = () => (random = (random * 48_271) % 2_147_483_647) / 2_147_483_647;
      const rig = new Rig({ chance });
      rig.answer = () => {};
      const targets = Array.from({ length: 20 }, (_, index) => `192.0.2.${index + 1}`);
      rig.add(targets.map((ip) => probe(ip, { type: 'tcp' }, { timeoutMs })));
      rig.time.advance(200_000);
      assert.ok(rig.started.length >= 20 * 99, `${rig.started.length} probes in 100 intervals of 20 targets`);
      rig.prober.close();
    });
  }

  it('a total deadline ends a probe, and nothing is left of it', () => {
    const rig = new Rig();
    rig.answer = () => {};
    rig.add([probe('192.0.2.1')]);
    rig.time.advance(1500);
    assert.deepEqual([rig.started.length, rig.abandoned, rig.prober.inFlight], [1, 1, 0]);
    rig.prober.close();
    assert.deepEqual(rig.time.delaysMs, []);
  });

  it('a stopped process blames no server: its timeouts are void', async () => {
    const rig = new Rig();
    rig.answer = () => {};
    rig.add([probe('192.0.2.1'), probe('192.0.2.2')]);
    for (let i = 0; i < 20; i++) {
      rig.time.advance(300);
      rig.time.pause();
      rig.time.advance(2000);
      await rig.time.resume();
    }
    assert.ok(rig.started.length > 10);
    rig.time.advance(2000);
    assert.ok(rig.samples.some(({ outcome }) => outcome === 'ProberLate'));
    assert.equal(
      [...rig.verdicts.values()].some(({ isUp }) => !isUp),
      false,
    );
    rig.prober.close();
  });

  it('a machine that is busy half of the time still tells who is silent, and blames nobody who answers late', async () => {
    const rig = new Rig();
    rig.add([probe('192.0.2.1'), probe('192.0.2.2')]);
    // The second one answers within its timeout, as far as we were there to hear it.
    rig.answer = (settle, { ip }) => {
      if (ip !== '192.0.2.1') rig.time.after(1100, () => settle(passed));
    };
    for (let i = 0; i < 300; i++) {
      rig.time.advance(60);
      rig.time.pause();
      rig.time.advance(60);
      await rig.time.resume();
    }
    assert.equal(rig.verdicts.get(1001)?.isUp, false);
    assert.notEqual(rig.verdicts.get(1002)?.isUp, false);
    rig.prober.close();
  });

  it('negative control: without the stop the same silence is a failure', () => {
    const rig = new Rig();
    rig.answer = () => {};
    rig.add([probe('192.0.2.1')]);
    rig.time.advance(9000);
    assert.equal(rig.verdicts.get(1001)?.isUp, false);
    rig.prober.close();
  });

  it('probes beyond the ceiling wait, and none of them fails for it', () => {
    const rig = new Rig({ maxInFlight: 10 });
    const waiting: Settle[] = [];
    let most = 0;
    rig.answer = (settle) => {
      most = Math.max(most, waiting.push(settle));
    };
    rig.add(Array.from({ length: 100 }, (_, index) => probe(`192.0.2.${index + 1}`)));
    for (let i = 0; i < 100; i++) {
      rig.time.advance(100);
      for (const settle of waiting.splice(0)) settle(passed);
    }
    assert.equal(most, 10);
    assert.equal(new Set(rig.started.map(({ target }) => target.ip)).size, 100);
    assert.equal(
      [...rig.verdicts.values()].some(({ isUp }) => !isUp),
      false,
    );
    rig.prober.close();
  });

  it('one question at a time per target', () => {
    const rig = new Rig();
    let open = 0;
    let most = 0;
    rig.answer = (settle) => {
      most = Math.max(most, ++open);
      rig.time.after(300, () => {
        open--;
        settle(passed);
      });
    };
    rig.add([
      probe('192.0.2.1'),
      probe('192.0.2.1', { type: 'tcp', expectHex: '61' }),
      probe('192.0.2.1', { type: 'icmp' }),
    ]);
    rig.time.advance(10_000);
    assert.equal(most, 1);
    assert.ok(rig.started.length >= 12);
    rig.prober.close();
  });

  it('probes that are due at nearly the same time start together, and answered ones wake nobody', () => {
    const time = new FakeTime();
    let timersSet = 0;
    const timers = {
      after: (delayMs: number, callback: () => void) => {
        timersSet++;
        return time.after(delayMs, callback);
      },
    };
    const rig = new Rig({ nowMs: () => time.monotonicMs(), timers });
    let asked = 0;
    rig.answer = (settle) => {
      asked++;
      time.after(0, () => settle(passed));
    };
    rig.add(Array.from({ length: 1000 }, (_, index) => probe(`198.51.${100 + (index >> 8)}.${index & 255}`)));
    time.advance(5000);
    timersSet = 0;
    asked = 0;
    time.advance(10_000);
    rig.prober.close();
    assert.ok(asked >= 4900, `${asked} probes`);
    assert.ok(timersSet <= 4000, `${timersSet} timers for ${asked} probes`);
  });

  it('what is removed is ended and never heard of again; others do not move', () => {
    const rig = new Rig();
    rig.answer = () => {};
    rig.add([probe('192.0.2.1'), probe('192.0.2.2')]);
    rig.time.advance(100);
    rig.remove(1);
    assert.deepEqual([rig.abandoned, rig.prober.inFlight], [1, 1]);
    rig.time.advance(20_000);
    assert.deepEqual([...rig.verdicts.keys()], [1002]);
    assert.equal(rig.started.filter(({ target }) => target.ip === '192.0.2.1').length, 1);
    rig.prober.close();
  });

  it('never asks a forbidden address, and blames nobody for that', () => {
    const rig = new Rig();
    rig.add(['127.0.0.1', '169.254.169.254', '::1'].map((ip) => probe(ip)));
    rig.time.advance(20_000);
    assert.equal(rig.started.length, 0);
    assert.equal(rig.verdicts.size, 0);
    assert.ok(rig.samples.every(({ outcome }) => outcome === 'TargetForbidden'));
    rig.prober.close();
  });

  it('tells verdicts soon and together, and samples twice a second', () => {
    const reports: number[] = [];
    const verdictsAt: number[] = [];
    const time = new FakeTime();
    const prober = new Prober({
      nowMs: () => time.monotonicMs(),
      timers: time,
      chance: () => 0.5,
      prepare: () => (_target, _timeoutMs, settle) => {
        settle(failed('ConnectionRefused'));
        return { abandon: () => 'ConnectTimeout' };
      },
      report: ({ verdicts }) => {
        reports.push(time.monotonicMs());
        if (verdicts.length > 0) verdictsAt.push(verdicts.length);
      },
    });
    const addedProbes = Array.from({ length: 100 }, (_, index) => ({
      id: index + 1,
      ordinal: index,
      probe: { ...probe('192.0.2.1'), target: { ip: parseIpAddress('192.0.2.1'), port: index + 1 } },
    }));
    const addedJudges = addedProbes.map(({ id }) => ({
      id,
      probeId: id,
      policy: { successThreshold: 1, failureThreshold: 1 },
      beginning: { kind: 'kept' as const, isUp: true },
    }));
    prober.update({ type: 'update', addedProbes, addedJudges, removedProbes: [], removedJudges: [] });
    time.advance(60_000);
    assert.equal(
      verdictsAt.reduce((a, b) => a + b, 0),
      100,
    );
    assert.ok(verdictsAt.length <= 8, `${verdictsAt.length} reports of verdicts`);
    assert.ok(reports.length <= 130, `${reports.length} reports`);
    prober.close();
  });

  it('tells how late probes were, and which turns were left out', () => {
    let told: Punctuality | undefined;
    const rig = new Rig({ report: ({ punctuality }) => (told = punctuality ?? told) });
    rig.add([probe('192.0.2.1'), probe('192.0.2.2')]);
    rig.time.advance(20_000);
    assert.ok(told !== undefined && told.missed === 0 && told.delayMs < 40, JSON.stringify(told));
    rig.time.pause();
    rig.time.advance(11_000);
    void rig.time.resume();
    rig.time.advance(3000);
    assert.ok(told.missed >= 8 && told.missed <= 12, `${told.missed} of 2 × 5 turns`);
    rig.prober.close();
  });

  it('a thousand targets that come and go leave no timer behind', () => {
    const rig = new Rig();
    rig.answer = () => {};
    rig.add(Array.from({ length: 1000 }, (_, index) => probe(`198.51.${100 + (index >> 8)}.${index & 255}`)));
    rig.time.advance(700);
    for (let id = 1; id <= 1000; id++) rig.remove(id);
    assert.equal(rig.prober.inFlight, 0);
    rig.time.advance(10_000);
    assert.deepEqual(rig.time.delaysMs, []);
  });
});
