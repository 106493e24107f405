import type { Clock, Timers } from '../base/index.ts';
import { Backoff } from './backoff.ts';
import type { KubeClient } from './client.ts';
import { isCovered, isEqualJson } from './equality.ts';
import { isKubeError } from './kube-error.ts';
import { apiVersionOf, isRecord, objectKey, readStoredMeta } from './kube-object.ts';
import type { KubeObject, ObjectName, ResourceType, StoredMeta } from './kube-object.ts';
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
  /** The version that our write made. */
  readonly made: string;
  readonly status: unknown;
  /** What the API server made of it, which need not be the same: see `write`. */
  readonly stored: unknown;
}

const attempts = 5;

/**
 * Writes status by server-side apply, and only when it says something new.
 *
 * Guarantees: no request when the stored status is what is wanted, and none for a repetition of the last write while
 * the store has not caught up with it. Fields that we no longer name are removed, and so is what others have put into a
 * status that we write: readers take all of it for ours. A write never reaches a namesake that was made after the subject
 * was read: it carries a resource version at which the uid was seen.
 * (A uid alone is no precondition: for the status of a custom resource the API server overwrites it unread.)
 */
export class StatusWriter {
  readonly #options: StatusWriterOptions;
  readonly #lastWrites = new Map<string, LastWrite>();

  constructor(options: StatusWriterOptions) {
    this.#options = options;
  }

  /**
   * What the API server made of a wish is not asked for again: an apply leaves the entries of a set or map in the order
   * that they were stored in, and a set that becomes empty is left out.
   * @throws KubeError when the API server refuses, or five conflicts came in a row.
   */
  async write(subject: StatusSubject, status: object, signal: AbortSignal): Promise<StatusOutcome> {
    const id = `${subject.type.plural}/${objectKey(subject.metadata)}`;
    if (this.#isWritten(this.#lastWrites.get(id), subject, status)) return 'unchanged';
    const { uid, resourceVersion: basis } = subject.metadata;
    const last = this.#lastWrites.get(id);
    // Where the store has not seen our last write yet, that is the version to build on.
    const version = last?.uid === uid && last.basis === basis ? last.made : basis;
    const made = await this.#apply(subject, { status, version, signal });
    if (made === undefined) this.#lastWrites.delete(id);
    else this.#lastWrites.set(id, { uid, basis, status, ...made });
    return made === undefined ? 'gone' : 'written';
  }

  /** The object is gone, and what was remembered of it is too. */
  forget(type: ResourceType, key: string): void {
    this.#lastWrites.delete(`${type.plural}/${key}`);
  }

  #isWritten(last: LastWrite | undefined, subject: StatusSubject, status: object): boolean {
    if (last === undefined || last.uid !== subject.metadata.uid) return isEqualJson(subject.status, status);
    if (!isEqualJson(last.status, status)) return false;
    return (
      last.basis === subject.metadata.resourceVersion ||
      isCovered(status, subject.status) ||
      isEqualJson(last.stored, subject.status)
    );
  }

  /** @returns what the write made; undefined: the object is gone. */
  async #apply(
    { type, metadata }: StatusSubject,
    { status, version, signal }: { status: object; version: string; signal: AbortSignal },
  ): Promise<Pick<LastWrite, 'made' | 'stored'> | undefined> {
    const { client, fieldManager, clock, timers, random } = this.#options;
    const { name, namespace, uid } = metadata;
    const backoff = new Backoff({
      firstMs: 100,
      longestMs: 2000,
      forgetMs: Number.POSITIVE_INFINITY,
      random,
    });
    let resourceVersion = version;
    for (let attempt = 1; ; attempt++) {
      const object: KubeObject = {
        apiVersion: apiVersionOf(type),
        kind: type.kind,
        metadata: { name, uid, resourceVersion, ...(namespace === undefined ? {} : { namespace }) },
        status,
      };
      try {
        const written = await client.apply(type, object, { fieldManager, subresource: 'status', signal });
        const whole = await this.#removeForeign(type, written, { status, signal });
        return {
          made: whole.metadata.resourceVersion ?? resourceVersion,
          stored: keep(whole['status'], status),
        };
      } catch (error) {
        if (isKubeError(error, 'LVS_KUBE_NOT_FOUND')) return undefined;
        if (!isKubeError(error, 'LVS_KUBE_CONFLICT') || attempt === attempts) throw error;
      }
      const current = await this.#readCurrent(type, metadata, signal);
      if (current?.uid !== uid) return undefined;
      resourceVersion = current.resourceVersion;
      // The first conflict is a store that is a little behind, and mended by now.
      if (attempt > 1) await pause(timers, backoff.nextDelayMs(clock.monotonicMs()), signal);
      signal.throwIfAborted();
    }
  }

  /**
   * An apply leaves what other managers own: an entry that somebody added to a list of ours would stay in it. All that we
   * say is stored already, so this takes away and owns nothing.
   */
  async #removeForeign(
    type: ResourceType,
    written: KubeObject,
    { status, signal }: { status: object; signal: AbortSignal },
  ): Promise<KubeObject> {
    const stored = written['status'];
    if (!isRecord(stored) || !saysMore(stored, status)) return written;
    const { resourceVersion } = written.metadata;
    const foreign = Object.keys(stored).filter((field) => !Object.hasOwn(status, field));
    const patch = {
      metadata: { resourceVersion },
      status: { ...status, ...Object.fromEntries(foreign.map((field) => [field, null])) },
    };
    const { client, fieldManager } = this.#options;
    return client.mergePatch(type, written.metadata, patch, { subresource: 'status', fieldManager, signal });
  }

  async #readCurrent(
    type: ResourceType,
    name: ObjectName,
    signal: AbortSignal,
  ): Promise<StoredMeta | undefined> {
    try {
      return readStoredMeta(await this.#options.client.get(type, name, { signal }));
    } catch (error) {
      if (isKubeError(error, 'LVS_KUBE_NOT_FOUND')) return undefined;
      throw error;
    }
  }
}

/** One of the two in memory where they are equal. */
function keep(stored: unknown, status: object): unknown {
  return isEqualJson(stored, status) ? status : stored;
}

/** Whether something stands in the first that nothing in the second is about: a field, or an entry of a list. */
function saysMore(stored: unknown, wanted: unknown): boolean {
  if (Array.isArray(stored) && Array.isArray(wanted))
    return stored.length > wanted.length || stored.some((item, i) => saysMore(item, wanted[i]));
  if (!isRecord(stored) || !isRecord(wanted)) return false;
  return Object.entries(stored).some(
    ([field, value]) => !Object.hasOwn(wanted, field) || saysMore(value, wanted[field]),
  );
}
