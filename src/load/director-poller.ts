import { formatErrorForPeople } from '../base/index.ts';
import type { Clock, Logger } from '../base/index.ts';
import type { Agent } from 'node:https';
import { boundedGet } from './bounded-get.ts';
import { parseCounters } from './counters.ts';
import type { CountersDocument } from './counters.ts';
import { DirectorClock } from './director-clock.ts';
import { pinnedAgent } from './pinned-agent.ts';

/** Where a director tells its counters, as its Director object and its Node say. */
export interface PolledDirector {
  readonly name: string;
  readonly address: string;
  readonly port: number;
  readonly certificateSHA256: string;
}

export interface CountersReport {
  readonly director: string;
  readonly document: CountersDocument;
  /** When the counters were read, by the wall clock of this process. */
  readonly takenAtMs: number;
  /** Adds to `monotonicMs` of the document to make it a time of this process. */
  readonly offsetMs: number;
}

export interface DirectorPollerOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  /** The Authorization header; undefined: none, and directors refuse. */
  readonly authorization: () => Promise<string | undefined>;
  readonly onReport: (report: CountersReport) => void;
  /** A question that had no answer of use; for whoever counts. */
  readonly onFailure?: () => void;
}

interface Conversation {
  readonly director: PolledDirector;
  readonly agent: Agent;
  readonly clock: DirectorClock;
  readonly end: AbortController;
  isAsking: boolean;
  failure: string | undefined;
}

const timeoutMs = 3000;
/** Sixty bytes for each of half a million real servers. */
const mostBytes = 32 * 1024 * 1024;

/**
 * Asks directors for their counters, one question to each at a time. A director that is slow or away costs the others
 * nothing, and is told about once.
 */
export class DirectorPoller {
  readonly #options: DirectorPollerOptions;
  readonly #conversations = new Map<string, Conversation>();

  constructor(options: DirectorPollerOptions) {
    this.#options = options;
  }

  /** Names of all that are asked. */
  get directors(): readonly string[] {
    return [...this.#conversations.keys()];
  }

  /** Those that do not answer, and why. */
  get failures(): ReadonlyMap<string, string> {
    const failing = new Map<string, string>();
    for (const [name, { failure }] of this.#conversations)
      if (failure !== undefined) failing.set(name, failure);
    return failing;
  }

  /** Asks each of them, unless its last answer is still on its way; who is not named is forgotten. */
  ask(directors: readonly PolledDirector[]): void {
    const named = new Map(directors.map((director) => [director.name, director]));
    for (const [name, conversation] of this.#conversations)
      if (!isSame(conversation.director, named.get(name))) this.#forget(name, conversation);
    for (const director of directors) {
      const conversation = this.#conversations.get(director.name) ?? this.#begin(director);
      if (!conversation.isAsking) void this.#askOne(conversation);
    }
  }

  close(): void {
    for (const [name, conversation] of this.#conversations) this.#forget(name, conversation);
  }

  #begin(director: PolledDirector): Conversation {
    const conversation: Conversation = {
      director,
      agent: pinnedAgent(director.certificateSHA256),
      clock: new DirectorClock(),
      end: new AbortController(),
      isAsking: false,
      failure: undefined,
    };
    this.#conversations.set(director.name, conversation);
    return conversation;
  }

  #forget(name: string, { agent, end }: Conversation): void {
    this.#conversations.delete(name);
    end.abort();
    agent.destroy();
  }

  /** Never rejects. */
  async #askOne(conversation: Conversation): Promise<void> {
    const { director, agent, clock, end } = conversation;
    const source = `director ${director.name}`;
    conversation.isAsking = true;
    try {
      const authorization = await this.#options.authorization();
      const host = director.address.includes(':') ? `[${director.address}]` : director.address;
      const text = await boundedGet({
        source,
        url: new URL(`https://${host}:${director.port}/v1/counters`),
        headers: authorization === undefined ? {} : { authorization },
        agent,
        timeoutMs,
        mostBytes,
        signal: end.signal,
      });
      const document = parseCounters(source, text);
      const offsetMs = clock.offset(document, this.#options.clock.wallMs());
      this.#note(conversation, undefined);
      if (end.signal.aborted) return;
      const takenAtMs = document.monotonicMs + offsetMs;
      this.#options.onReport({ director: director.name, document, takenAtMs, offsetMs });
    } catch (error) {
      if (end.signal.aborted) return;
      this.#note(conversation, formatErrorForPeople(error));
      this.#options.onFailure?.();
    } finally {
      conversation.isAsking = false;
    }
  }

  #note(conversation: Conversation, failure: string | undefined): void {
    if (conversation.failure === failure) return;
    const { logger } = this.#options;
    const director = conversation.director.name;
    if (failure === undefined) logger.info('a director tells its counters again', { director });
    else
      logger.warn('a director does not tell its counters; weights do without', { director, reason: failure });
    conversation.failure = failure;
  }
}

function isSame(a: PolledDirector, b: PolledDirector | undefined): boolean {
  return (
    b !== undefined &&
    a.address === b.address &&
    a.port === b.port &&
    a.certificateSHA256 === b.certificateSHA256
  );
}
