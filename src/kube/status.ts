import type { Clock, Timers } from '../base/index.ts';
import { Backoff } from './backoff.ts';
import type { KubeClient } from './client.ts';
import { isCovered, isEqualJson } from './equality.ts';
import { isKubeError } from './kube-error.ts';
import { apiVersionOf, objectKey } from './kube-object.ts';
import type { KubeObject, ResourceType, StoredMeta } from './kube-object.ts';
import { pause } from './timers.ts';

export interface StatusWriterOptions {
  readonly client: KubeClient;
  /** One for all that this process writes; what another manager owns is left to it. */
  readonly fieldManager: string;
  readonly clock: Clock;
  readonly timers: Timers;
  /** 0 ≤ random() < 1 */
  readonly random: () => number;
}

/** The object as the store has it. */
export interface StatusSubject {
  readonly type: ResourceType;
  readonly metadata: Pick<StoredMeta, 'name' | 'namespace' | 'uid' | 'resourceVersion'>;
  readonly status: unknown;
}

/** Gone: the object was deleted, perhaps made anew under its name; there is nothing to write to. */
export type StatusOutcome = 'unchanged' | 'written' | 'gone';

interface LastWrite {
  readonly uid: string;
  /** The version that the store had when we wrote. */
  readonly basis: string;
  readonly status: unknown;
}

const attempts = 5;

/**
 * Writes status by server-side apply, and only when it says something new.
 *
 * Guarantees: no request when the stored status is what is wanted, and none for a repetition of the last write while
 * the store has not caught up with it. Fields that we no longer name are removed; fields of others stay. A write never
 * reaches a namesake that was made after the subject was read: the uid goes with it.
 */
export class StatusWriter {
  readonly #options: StatusWriterOptions;
  readonly #lastWrites = new Map<string, LastWrite>();

  constructor(options: StatusWriterOptions) {
    this.#options = options;
  }

  /** @throws KubeError when the API server refuses, or five conflicts came in a row. */
  async write(subject: StatusSubject, status: object, signal: AbortSignal): Promise<StatusOutcome> {
    const id = `${subject.type.plural}/${objectKey(subject.metadata)}`;
    if (this.#isWritten(this.#lastWrites.get(id), subject, status)) return 'unchanged';
    const { uid, resourceVersion } = subject.metadata;
    const outcome = await this.#apply(subject, status, signal);
    if (outcome === 'gone') this.#lastWrites.delete(id);
    else this.#lastWrites.set(id, { uid, basis: resourceVersion, status });
    return outcome;
  }

  /** The object is gone, and what was remembered of it is too. */
  forget(type: ResourceType, key: string): void {
    this.#lastWrites.delete(`${type.plural}/${key}`);
  }

  #isWritten(last: LastWrite | undefined, subject: StatusSubject, status: object): boolean {
    if (last === undefined || last.uid !== subject.metadata.uid) return isEqualJson(subject.status, status);
    if (!isEqualJson(last.status, status)) return false;
    return last.basis === subject.metadata.resourceVersion || isCovered(status, subject.status);
  }

  async #apply(subject: StatusSubject, status: object, signal: AbortSignal): Promise<StatusOutcome> {
    const { client, fieldManager, clock, timers, random } = this.#options;
    const { type, metadata } = subject;
    const { name, namespace, uid } = metadata;
    const object: KubeObject = {
      apiVersion: apiVersionOf(type),
      kind: type.kind,
      metadata: { name, uid, ...(namespace === undefined ? {} : { namespace }) },
      status,
    };
    const backoff = new Backoff({
      firstMs: 100,
      longestMs: 2000,
      forgetMs: Number.POSITIVE_INFINITY,
      random,
    });
    for (let attempt = 1; ; attempt++) {
      try {
        await client.apply(type, object, { fieldManager, subresource: 'status', signal });
        return 'written';
      } catch (error) {
        if (isKubeError(error, 'LVS_KUBE_NOT_FOUND')) return 'gone';
        if (!isKubeError(error, 'LVS_KUBE_CONFLICT') || attempt === attempts) throw error;
        if (await this.#isReplaced(subject, signal)) return 'gone';
        await pause(timers, backoff.nextDelayMs(clock.monotonicMs()), signal);
        signal.throwIfAborted();
      }
    }
  }

  /** A conflict is a uid that differs, or a race inside the API server that another attempt wins. */
  async #isReplaced({ type, metadata }: StatusSubject, signal: AbortSignal): Promise<boolean> {
    try {
      const current = await this.#options.client.get(type, metadata, { signal });
      return current.metadata.uid !== metadata.uid;
    } catch (error) {
      if (isKubeError(error, 'LVS_KUBE_NOT_FOUND')) return true;
      throw error;
    }
  }
}
