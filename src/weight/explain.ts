import type { Member } from './member.ts';
import { rejectionTexts } from './metric-intake.ts';
import type { WeightPolicy } from './policy.ts';
import type { ExplanationStep, WeightExplanation } from './types.ts';
import { weightReasons } from './verdict.ts';

/** The inputs and steps behind a weight in the order in which they came about, in words for people. */
export function explainMember(member: Member, type: WeightPolicy['type']): WeightExplanation {
  const { trace, advised, server } = member;
  const steps: ExplanationStep[] = [];
  const say = (step: string, value: number | undefined, text: string): void => {
    steps.push({ step, value, text });
  };
  say('base', server.baseWeight ?? 100, `configured weight, ${format(trace.configured)} of the pool's mean`);
  if (type !== 'Static') {
    say('prior', trace.prior, "share of the pool's mean before anything is learnt");
    if (type !== 'InFlight') explainMetrics(member, say);
    explainConnections(member, say);
    if (type === 'LVSDynamicFeedback') explainFormula(member, say);
    else {
      if (type === 'CapacityEstimate')
        say('estimate', trace.estimate, "completions per CPU, relative to the pool's mean");
      explainShares(member, say);
    }
    say('exact', trace.exactWeight, 'as a weight for the scheduler');
  }
  say('weight', advised, 'whole number, written when it differs enough from what is there');
  return { realServer: server.name, weight: advised, reason: weightReasons[trace.reason], steps };
}

/** A server that is left alone. */
export function explainAbsent(realServer: string, state: string): WeightExplanation {
  return { realServer, weight: undefined, reason: `left alone: ${state}`, steps: [] };
}

type Say = (step: string, value: number | undefined, text: string) => void;

function explainMetrics({ trace, lastSample, lastUtilisation, lastRejection }: Member, say: Say): void {
  const { metricAgeMs } = trace;
  const age = metricAgeMs === undefined ? undefined : metricAgeMs / 1000;
  say('metric age', age, `seconds since the end of its window; ${trace.isFresh ? 'fresh' : 'not fresh'}`);
  if (lastSample !== undefined)
    say('metric window', lastSample.windowMs / 1000, 'seconds that the last usable sample is a mean of');
  if (lastSample?.cpuCores !== undefined)
    say('cores', lastSample.cpuCores, 'CPU that it used in that window');
  say('utilisation', lastUtilisation, 'part of its CPU that was busy in that window');
  if (lastRejection !== undefined)
    say('left out', undefined, `the last sample: ${rejectionTexts[lastRejection]}`);
}

function explainConnections({ trace, badReadings }: Member, say: Say): void {
  const { residenceMs, typicalResidenceMs } = trace;
  say('arrivals', trace.arrivalsPerSecond, 'new connections a second, over all directors');
  say('active', trace.active, 'connections in flight, over all directors');
  if (badReadings > 0) say('left out', badReadings, 'connection readings that could not be true');
  if (residenceMs !== undefined)
    say(
      'residence',
      residenceMs / 1000,
      `seconds a connection stays; typical is ${seconds(typicalResidenceMs)}`,
    );
}

function explainShares({ trace }: Member, say: Say): void {
  if (trace.fade > 0) say('fade', trace.fade, 'part of the way back to the prior');
  say('relative', trace.relative, 'the share that follows');
  if (trace.wish !== 1) say('wish', trace.wish, 'times the configured share, as base is Policy');
  say('backoff', trace.backoff, 'part that it coped with when it had a backlog');
  say('drain', trace.drain, 'part for as long as there is a backlog');
  say('wanted', trace.wanted, `within ${format(trace.lower)} and ${format(trace.upper)}`);
  if (trace.ramp < 1) say('ramp', trace.ramp, 'part for a new or recovered server');
  say('level', trace.level, 'after the limit of one step, and the ramp');
}

function explainFormula({ trace }: Member, say: Say): void {
  for (const [input, value, share] of trace.loads) say(input, value, `input, with share ${format(share)}`);
  say('aggregate load', trace.aggregateLoad, 'the inputs by their shares; 1 is full');
  say('move', trace.moved, 'gain times the cube root of target less aggregate load, in the last period');
  say('limits', trace.lower, `least weight; the largest is ${format(trace.upper)}`);
}

function seconds(ms: number | undefined): string {
  return ms === undefined ? 'unknown' : format(ms / 1000);
}

function format(value: number): string {
  return Number.isFinite(value) ? String(Number(value.toPrecision(3))) : 'unlimited';
}
