import { probeKey } from './question.ts';
import type { Probe } from './question.ts';
import { beginningFrom } from './verdict.ts';
import type { Beginning, Verdict, VerdictPolicy } from './verdict.ts';

/** What somebody wants to know: one real server of one service, by the check that applies to it. */
export interface Check {
  /** Unique, stable while the real server is the same one: an edit of the check keeps it. */
  readonly id: string;
  readonly probe: Probe;
  readonly policy: VerdictPolicy;
  /** Used when neither an earlier verdict of this id nor of the same probe is there. */
  readonly beginning: Beginning;
}

/** One row of outcomes that is judged by one policy; many checks may read the verdict. */
export interface Judge {
  readonly id: number;
  readonly probeKey: string;
  readonly policy: VerdictPolicy;
}

/** A probe that runs, and its judges. The numbers name them between threads. */
export interface SharedProbe {
  readonly id: number;
  readonly probe: Probe;
  readonly judges: readonly Judge[];
}

export interface Sharing {
  /** By `probeKey`. */
  readonly probes: ReadonlyMap<string, SharedProbe>;
  /** The judge that a check reads, by id of the check. */
  readonly judgeOf: ReadonlyMap<string, Judge>;
  readonly nextId: number;
}

export const noSharing: Sharing = { probes: new Map(), judgeOf: new Map(), nextId: 1 };

export interface JudgeStart {
  readonly judge: Judge;
  readonly beginning: Beginning;
}

/** What changes for the prober. Probes and judges that are not named go on as if nothing had happened. */
export interface SharingChange {
  readonly sharing: Sharing;
  readonly addedProbes: readonly SharedProbe[];
  readonly removedProbes: readonly number[];
  readonly addedJudges: readonly JudgeStart[];
  readonly removedJudges: readonly number[];
}

/**
 * Brings the probes in line with the checks: one probe for all that ask the same question of the same target at the same
 * pace, one judge for all that also have the same thresholds.
 * @param verdictOf of a running judge, so that an edited check goes on from where it was
 */
export function shareProbes(
  previous: Sharing,
  checks: readonly Check[],
  verdictOf: (judge: Judge) => Verdict | undefined,
): SharingChange {
  let nextId = previous.nextId;
  const wanted = new Map<string, Judge[]>();
  const probeOf = new Map<string, Probe>();
  const judgeOf = new Map<string, Judge>();
  const addedJudges: JudgeStart[] = [];
  for (const check of checks) {
    const key = cachedProbeKey(check.probe);
    probeOf.set(key, previous.probes.get(key)?.probe ?? check.probe);
    const judges = wanted.get(key) ?? [];
    wanted.set(key, judges);
    let judge = findJudge(judges, check.policy);
    if (judge === undefined) {
      judge = findJudge(previous.probes.get(key)?.judges ?? [], check.policy);
      if (judge === undefined) {
        judge = { id: nextId++, probeKey: key, policy: check.policy };
        addedJudges.push({ judge, beginning: beginningOf(check, previous, verdictOf) });
      }
      judges.push(judge);
    }
    judgeOf.set(check.id, judge);
  }

  const probes = new Map<string, SharedProbe>();
  const addedProbes: SharedProbe[] = [];
  for (const [key, judges] of wanted) {
    const running = previous.probes.get(key);
    const probe = probeOf.get(key);
    if (running !== undefined && haveSameJudges(running.judges, judges)) probes.set(key, running);
    else if (running !== undefined) probes.set(key, { ...running, judges });
    else if (probe !== undefined) {
      const added = { id: nextId++, probe, judges };
      probes.set(key, added);
      addedProbes.push(added);
    }
  }
  const kept = new Set([...wanted.values()].flat().map(({ id }) => id));
  const before = [...previous.probes.values()];
  return {
    sharing: { probes, judgeOf, nextId },
    addedProbes,
    removedProbes: [...previous.probes].filter(([key]) => !probes.has(key)).map(([, { id }]) => id),
    addedJudges,
    removedJudges: before.flatMap(({ judges }) => judges.map(({ id }) => id)).filter((id) => !kept.has(id)),
  };
}

/** An edited check keeps its verdict: that its path changed does not make its server new. */
function beginningOf(
  check: Check,
  previous: Sharing,
  verdictOf: (judge: Judge) => Verdict | undefined,
): Beginning {
  const before = previous.judgeOf.get(check.id);
  const verdict = before === undefined ? undefined : verdictOf(before);
  return verdict?.isProven === true ? beginningFrom(verdict) : check.beginning;
}

function findJudge(judges: readonly Judge[], policy: VerdictPolicy): Judge | undefined {
  return judges.find(
    (judge) =>
      judge.policy.successThreshold === policy.successThreshold &&
      judge.policy.failureThreshold === policy.failureThreshold,
  );
}

function haveSameJudges(a: readonly Judge[], b: readonly Judge[]): boolean {
  return a.length === b.length && b.every((judge) => a.includes(judge));
}

/** Probes are values that are kept from pass to pass, so that each is spelled out once. */
const keys = new WeakMap<Probe, string>();

function cachedProbeKey(probe: Probe): string {
  let key = keys.get(probe);
  if (key === undefined) keys.set(probe, (key = probeKey(probe)));
  return key;
}
