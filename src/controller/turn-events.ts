import type { Condition } from '../api/index.ts';
import type { Timers } from '../base/index.ts';
import type { EventRecorder, ObjectReference } from '../kube/index.ts';
import { transitionNotes } from './transition-events.ts';

/** Servers that fail together are found out over an interval of their checks, and reports of directors come once a second. */
const settleMs = 5000;

interface Pending {
  readonly before: readonly Condition[];
  after: readonly Condition[];
  readonly cancel: () => void;
}

/**
 * Tells of turns of conditions. What is bad about real servers waits until it has settled: a service whose servers all fail
 * is first short of some, then of its quorum, then without any, and a person wants to hear the last of it, once. What
 * was over before that is not told at all; the status has had it at once.
 */
export class TurnEvents {
  readonly #recorder: Pick<EventRecorder, 'record'>;
  readonly #timers: Timers;
  readonly #pending = new Map<string, Pending>();

  constructor(recorder: Pick<EventRecorder, 'record'>, timers: Timers) {
    this.#recorder = recorder;
    this.#timers = timers;
  }

  tell(regarding: ObjectReference, before: readonly Condition[], after: readonly Condition[]): void {
    const health = after.filter(isOfHealth);
    this.#record(
      regarding,
      before,
      after.filter((condition) => !isOfHealth(condition)),
    );
    const pending = this.#pending.get(regarding.uid);
    if (pending !== undefined) {
      pending.after = health;
      return;
    }
    if (!transitionNotes(before, health).some(({ type }) => type === 'Warning')) {
      this.#record(regarding, before, health);
      return;
    }
    const cancel = this.#timers.after(settleMs, () => {
      this.#pending.delete(regarding.uid);
      this.#record(regarding, begun.before, begun.after);
    });
    const begun: Pending = { before, after: health, cancel };
    this.#pending.set(regarding.uid, begun);
  }

  /** What has not settled is not told any more. */
  stop(): void {
    for (const { cancel } of this.#pending.values()) cancel();
    this.#pending.clear();
  }

  #record(regarding: ObjectReference, before: readonly Condition[], after: readonly Condition[]): void {
    for (const note of transitionNotes(before, after)) this.#recorder.record({ regarding, ...note });
  }
}

function isOfHealth({ type }: Condition): boolean {
  return type === 'RealServersAvailable';
}
