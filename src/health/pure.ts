/**
 * health, the pure half: what the outcomes of probes mean for a server and for its pool.
 *
 * Owns the question that a check asks, its identity and sharing, verdicts (rise and fall), damping, the isolation guard,
 * quorum, panic and slow start. Promises functions of their arguments: time and
 * chance come in from outside, and nothing here knows a socket.
 */
export { failureReasons, voidReasons } from './outcome.ts';
export type { FailureReason, ProbeOutcome, VoidReason } from './outcome.ts';
export { beginningFrom, firstVerdict, isSuspect, nextVerdict } from './verdict.ts';
export type { Beginning, Verdict, VerdictPolicy } from './verdict.ts';
export { dampVerdict, newFlapHistory } from './flap-damping.ts';
export type { DampedState, FlapHistory } from './flap-damping.ts';
export { holdWhileIsolated, judgeIsolation } from './isolation.ts';
export type { Isolation, IsolationInput, ServiceView } from './isolation.ts';
export { defaultQuorum, isPanicking, isQuorumMet } from './quorum.ts';
export type { QuorumMember, QuorumPolicy } from './quorum.ts';
export { rampWeight } from './slow-start.ts';
export type { RampPosition } from './slow-start.ts';
export { isForbiddenTarget } from './target-guard.ts';
export { questionOf } from './question-of.ts';
export type { QuestionResult } from './question-of.ts';
export { probeKey } from './question.ts';
export type { MarkedRoute, Probe, Question, Target, TlsQuestion } from './question.ts';
export type { Check } from './share-probes.ts';
