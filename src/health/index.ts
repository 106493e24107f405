/**
 * health: whether real servers answer, and what follows from it.
 *
 * Owns probes of every kind on a thread of their own (`Checker`), and re-exports the pure half: questions, verdicts and
 * the policy of pools. Promises that every probe ends on time with an outcome from a closed list, whatever a server
 * sends; that time and memory are bounded; that trouble of the prober itself is never a failure of a server; and that
 * no byte of an answer leaves this room. Refuses to know which object a check belongs to, and to touch the kernel's table.
 */
export { Checker } from './checker.ts';
export type { CheckerOptions, ProbeRecord, ProberHealth } from './checker.ts';
export { sharedNowMs } from './shared-clock.ts';
export { startProbeWorker } from './worker-thread.ts';
export type { ProbeTotals, Punctuality } from './worker-protocol.ts';
export { latencyBucketsMs } from './worker-protocol.ts';
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
export { probeKey, tlsOf, withTls } from './question.ts';
export { judgeAuthorities, judgeCertificate } from './tls.ts';
export type { MarkedRoute, Probe, Question, Target, TlsQuestion, TlsReferences } from './question.ts';
export type { Check } from './share-probes.ts';
