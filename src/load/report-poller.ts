import { Agent } from 'node:http';
import { formatErrorForPeople } from '../base/index.ts';
import type { Clock, Logger } from '../base/index.ts';
import { isForbiddenTarget } from '../health/pure.ts';
import type { IpAddress } from '../base/index.ts';
import { askReport } from './ask-report.ts';
import type { ReportQuestion } from './ask-report.ts';
import type { AgentReport } from './counters.ts';
import type { ServerReport } from './server-report.ts';

/** A real server that reports itself, to one virtual service that wants to know. */
export interface ReportTarget extends ReportQuestion {
  /** `namespace/name` */
  readonly virtualService: string;
  readonly address: IpAddress;
  readonly intervalMs: number;
}

export interface ReportPollerOptions {
  readonly clock: Pick<Clock, 'monotonicMs'>;
  readonly logger: Logger;
  /** @default askReport */
  readonly ask?: (question: ReportQuestion, agent: Agent) => Promise<ServerReport>;
}

interface Conversation {
  question: ReportQuestion;
  intervalMs: number;
  dueMs: number;
  isAsking: boolean;
  last: { readonly report: ServerReport; readonly atMs: number } | undefined;
  failure: string | undefined;
}

/** Of one director to all servers; a slow one costs its own turns only. */
const mostInFlight = 64;

/**
 * Asks real servers for the load that they tell of themselves, when it is time for it. It is driven by whoever wants the
 * reports: while nobody calls `turn`, nobody is asked. Virtual services that put the same question to the same server
 * share it; a server is asked one question at a time; addresses that no probe goes to are not asked either.
 */
export class ReportPoller {
  readonly #options: ReportPollerOptions;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 1, maxTotalSockets: mostInFlight });
  readonly #conversations = new Map<string, Conversation>();
  #targets: readonly ReportTarget[] = [];
  #inFlight = 0;
  /** When somebody last wanted to know. */
  #turnMs = Number.NEGATIVE_INFINITY;

  constructor(options: ReportPollerOptions) {
    this.#options = options;
  }

  /** Begins the questions that are due. @param targets all of them; the same list as before costs nothing. */
  turn(targets: readonly ReportTarget[]): void {
    if (targets !== this.#targets) this.#setTargets(targets);
    this.#turnMs = this.#options.clock.monotonicMs();
    this.#askDue();
  }

  /** What servers said last; an answer counts for two intervals. `atMs` is by the monotonic clock. */
  get reports(): readonly AgentReport[] {
    const nowMs = this.#options.clock.monotonicMs();
    return this.#targets.flatMap((target) => {
      const { last } = this.#conversations.get(keyOf(target)) ?? {};
      if (last === undefined || nowMs - last.atMs > 2 * target.intervalMs) return [];
      const { virtualService, address } = target;
      return [{ virtualService, address, atMs: last.atMs, ...last.report }];
    });
  }

  close(): void {
    this.#targets = [];
    this.#conversations.clear();
    this.#agent.destroy();
  }

  #setTargets(targets: readonly ReportTarget[]): void {
    this.#targets = targets.filter(({ address }) => !isForbiddenTarget(address));
    const nowMs = this.#options.clock.monotonicMs();
    const wanted = new Set<string>();
    for (const [index, target] of this.#targets.entries()) {
      const key = keyOf(target);
      const known = this.#conversations.get(key);
      // Of two intervals for one question the shorter counts.
      const intervalMs =
        wanted.has(key) && known !== undefined
          ? Math.min(known.intervalMs, target.intervalMs)
          : target.intervalMs;
      wanted.add(key);
      if (known !== undefined) known.intervalMs = intervalMs;
      else
        this.#conversations.set(key, {
          question: target,
          intervalMs,
          // Spread, so that a thousand servers are not asked in one moment.
          dueMs: nowMs + (intervalMs * (index % spreadSteps)) / spreadSteps,
          isAsking: false,
          last: undefined,
          failure: undefined,
        });
    }
    for (const key of this.#conversations.keys()) if (!wanted.has(key)) this.#conversations.delete(key);
  }

  /** As many as there is room for of those that were due at the last turn, who waited longest first. */
  #askDue(): void {
    for (const [key, conversation] of this.#conversations) {
      if (this.#inFlight >= mostInFlight) break;
      if (!conversation.isAsking && this.#turnMs >= conversation.dueMs) void this.#ask(key, conversation);
    }
  }

  /** Never rejects. */
  async #ask(key: string, conversation: Conversation): Promise<void> {
    const { ask = askReport, clock } = this.#options;
    // To the end of the line.
    this.#conversations.delete(key);
    this.#conversations.set(key, conversation);
    conversation.isAsking = true;
    conversation.dueMs = clock.monotonicMs() + conversation.intervalMs;
    this.#inFlight++;
    try {
      const report = await ask(conversation.question, this.#agent);
      conversation.last = { report, atMs: clock.monotonicMs() };
      this.#note(conversation, undefined);
    } catch (error) {
      // Nobody wants to hear of a question that was taken back.
      if (this.#conversations.get(key) === conversation)
        this.#note(conversation, formatErrorForPeople(error));
    } finally {
      this.#inFlight--;
      conversation.isAsking = false;
      this.#askDue();
    }
  }

  #note(conversation: Conversation, failure: string | undefined): void {
    if (conversation.failure === failure) return;
    const { logger } = this.#options;
    const { address, port } = conversation.question;
    if (failure === undefined) logger.info('a real server reports its load again', { address, port });
    else logger.warn('a real server does not report its load', { address, port, reason: failure });
    conversation.failure = failure;
  }
}

const spreadSteps = 10;

function keyOf({ protocol, address, port, path }: ReportQuestion): string {
  return `${protocol} ${address} ${port} ${path}`;
}
