import { StringDecoder } from 'node:string_decoder';
import { formatErrorForPeople } from '../base/index.ts';
import type { Clock, Logger, Timers } from '../base/index.ts';
import type { KubeClient } from './client.ts';
import { isKubeError, KubeError } from './kube-error.ts';
import { apiVersionOf } from './kube-object.ts';
import type { ResourceType } from './kube-object.ts';
import { formatMicroTime } from './lease.ts';
import { RateLimit } from './rate-limit.ts';
import { WorkQueue } from './work-queue.ts';
import type { WorkResult } from './work-queue.ts';

const eventType: ResourceType = {
  group: 'events.k8s.io',
  version: 'v1',
  plural: 'events',
  kind: 'Event',
  isNamespaced: true,
};

/** What an event is about. */
export interface ObjectReference {
  readonly apiVersion: string;
  readonly kind: string;
  readonly name: string;
  readonly namespace?: string;
  readonly uid: string;
}

export interface EventNote {
  readonly regarding: ObjectReference;
  readonly type: 'Normal' | 'Warning';
  /** CamelCase, why: `AddressConflict`. */
  readonly reason: string;
  /** CamelCase, what was being done: `Allocate`. */
  readonly action: string;
  /** For people. */
  readonly note: string;
}

/** What became of a note: told, counted in an event that is there, or not told. */
export type EventOutcome = 'written' | 'repeated' | 'dropped';

export interface EventRecorderOptions {
  readonly client: KubeClient;
  /** `networking.lvs-operator.io/controller` */
  readonly reportingController: string;
  /** The pod or node that reports. */
  readonly reportingInstance: string;
  readonly clock: Clock;
  readonly timers: Timers;
  /** 0 ≤ random() < 1 */
  readonly random: () => number;
  readonly logger: Logger;
  readonly onOutcome?: ((outcome: EventOutcome) => void) | undefined;
}

/** One event of the API server and what we have yet to tell it. */
interface Series {
  readonly name: string;
  readonly namespace: string;
  readonly note: EventNote;
  readonly firstWallMs: number;
  count: number;
  /** What the API server knows; 0: it does not know the event. */
  writtenCount: number;
  lastWallMs: number;
  lastMs: number;
}

/** A repetition within this time continues the series; as in client-go. */
const seriesLastsMs = 6 * 60_000;
/** Repetitions are told together. */
const seriesDelayMs = 10_000;
/** As client-go's spam filter: 25 events at once per object, then one in five minutes. */
const perObject = { burst: 25, refillMs: 5 * 60_000 };
/** Of all objects together: when a thousand fail at once, the first are told now and the rest one after another. */
const overall = { burst: 200, refillMs: 200 };
/** Who found nothing left of it asks again then. */
const paceMs = 2000;
const mostSeries = 1000;
const longestNote = 1024;

/**
 * Tells people what happened to an object, as events that `kubectl describe` shows.
 *
 * Promises to cost little: repetitions become a count, an object that has much to say is cut short, all objects together write
 * five a second after a burst, nothing waits for the API server, and memory is bounded. So an event may be lost, and nothing
 * may depend on one: what is true stands in status.
 */
export class EventRecorder {
  readonly #options: EventRecorderOptions;
  readonly #series = new Map<string, Series>();
  readonly #limit = new RateLimit(perObject);
  readonly #pace = new RateLimit(overall);
  readonly #queue: WorkQueue;
  #dropped = 0;

  constructor(options: EventRecorderOptions) {
    const { clock, timers, random, logger } = options;
    this.#options = options;
    this.#queue = new WorkQueue({
      work: (key) => this.#write(key),
      clock,
      timers,
      random,
      workers: 2,
      retries: 4,
      firstDelayMs: 1000,
      onFailure: (key, error, isGivenUp) => {
        if (!isGivenUp) return;
        this.#drop();
        this.#series.delete(key);
        logger.debug('an event was given up', { reason: formatErrorForPeople(error) });
      },
    });
    this.#queue.start();
  }

  /** Events that were never told, by the limit or because they could not be written. */
  get dropped(): number {
    return this.#dropped;
  }

  #drop(): void {
    this.#dropped++;
    this.#options.onOutcome?.('dropped');
  }

  record(note: EventNote): void {
    const { clock } = this.#options;
    const nowMs = clock.monotonicMs();
    const key = seriesKey(note);
    const last = this.#series.get(key);
    if (last !== undefined && nowMs - last.lastMs < seriesLastsMs) {
      last.count++;
      this.#options.onOutcome?.('repeated');
      last.lastMs = nowMs;
      last.lastWallMs = clock.wallMs();
      this.#queue.add(key, { delayMs: seriesDelayMs });
      return;
    }
    if (!this.#limit.take(note.regarding.uid, nowMs)) {
      this.#drop();
      return;
    }
    this.#forgetOldSeries(nowMs);
    this.#series.set(key, this.#begin(note, nowMs));
    this.#queue.add(key);
  }

  /** What was not told by now is not told any more. */
  async stop(): Promise<void> {
    await this.#queue.stop();
    for (const { writtenCount } of this.#series.values()) if (writtenCount === 0) this.#drop();
    this.#series.clear();
  }

  #begin(note: EventNote, nowMs: number): Series {
    const { clock, random } = this.#options;
    const wallMs = clock.wallMs();
    const suffix = Array.from({ length: 4 }, () => hex(random() * 0x10000, 4)).join('');
    return {
      // Room for the suffix in the 253 characters of a name.
      name: `${note.regarding.name.slice(0, 236)}.${suffix}`,
      // What belongs to the whole cluster has its events in the default namespace.
      namespace: note.regarding.namespace ?? 'default',
      note,
      firstWallMs: wallMs,
      count: 1,
      writtenCount: 0,
      lastWallMs: wallMs,
      lastMs: nowMs,
    };
  }

  /** The map is in order of beginning; the oldest beginnings go first when there are too many. */
  #forgetOldSeries(nowMs: number): void {
    for (const [key, series] of this.#series) {
      const isOver = nowMs - series.lastMs >= seriesLastsMs && series.writtenCount === series.count;
      if (!isOver && this.#series.size < mostSeries) continue;
      if (series.writtenCount === 0) this.#drop();
      this.#series.delete(key);
      this.#queue.forget(key);
    }
  }

  async #write(key: string): Promise<WorkResult> {
    const series = this.#series.get(key);
    if (series === undefined || series.count === series.writtenCount) return { kind: 'done' };
    if (!this.#pace.take('', this.#options.clock.monotonicMs())) return { kind: 'again', afterMs: paceMs };
    const { count } = series;
    try {
      if (series.writtenCount === 0) await this.#create(series);
      else await this.#continue(series);
      if (series.writtenCount === 0) this.#options.onOutcome?.('written');
      series.writtenCount = count;
    } catch (error) {
      if (error instanceof KubeError && error.isRetryable) throw error;
      // A namespace that is being deleted, or no permission: no later attempt does better.
      this.#drop();
      this.#series.delete(key);
      this.#options.logger.debug('an event was refused', { reason: formatErrorForPeople(error) });
    }
    return { kind: 'done' };
  }

  async #create(series: Series): Promise<void> {
    const { client, reportingController, reportingInstance } = this.#options;
    const { regarding, type, reason, action, note } = series.note;
    try {
      await client.create(eventType, {
        apiVersion: apiVersionOf(eventType),
        kind: eventType.kind,
        metadata: { name: series.name, namespace: series.namespace },
        eventTime: formatMicroTime(series.firstWallMs),
        reportingController,
        reportingInstance: reportingInstance.slice(0, 128),
        regarding,
        type,
        reason,
        action,
        note: truncateBytes(note, longestNote),
        ...(series.count > 1 ? { series: seriesOf(series) } : {}),
      });
    } catch (error) {
      // An earlier attempt arrived although its answer did not.
      if (!isKubeError(error, 'LVS_KUBE_CONFLICT')) throw error;
    }
  }

  async #continue(series: Series): Promise<void> {
    try {
      await this.#options.client.mergePatch(eventType, series, { series: seriesOf(series) });
    } catch (error) {
      // The API server forgets events after an hour.
      if (!isKubeError(error, 'LVS_KUBE_NOT_FOUND')) throw error;
      await this.#create(series);
    }
  }
}

function seriesOf(series: Series): { count: number; lastObservedTime: string } {
  return { count: series.count, lastObservedTime: formatMicroTime(series.lastWallMs) };
}

/** The API server lets nothing but the series of an event change, so another note is another event. */
function seriesKey({ regarding, type, reason, action, note }: EventNote): string {
  return JSON.stringify([regarding.uid, regarding.kind, regarding.name, type, reason, action, note]);
}

function hex(value: number, digits: number): string {
  return Math.floor(value).toString(16).padStart(digits, '0');
}

/** The limit of the API server counts bytes; a character that it would cut in two is left out whole. */
function truncateBytes(text: string, most: number): string {
  return new StringDecoder('utf8').write(Buffer.from(text).subarray(0, most));
}
