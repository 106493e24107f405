import { createHash } from 'node:crypto';
import { formatErrorForPeople } from '../base/index.ts';
import type { Clock, Logger } from '../base/index.ts';
import { RateLimit } from '../kube/index.ts';
import type { KubeTransport } from '../kube/index.ts';

/** `unavailable`: nobody could be asked, so nothing is shown. */
export type AccessVerdict = 'allowed' | 'unauthenticated' | 'forbidden' | 'unavailable';

export interface AccessReviewOptions {
  readonly transport: Pick<KubeTransport, 'request'>;
  readonly clock: Pick<Clock, 'monotonicMs'>;
  readonly logger: Logger;
}

interface Known {
  readonly verdict: AccessVerdict;
  readonly untilMs: number;
}

/** Who is allowed now is believed for that long; who is refused may have been given the right a moment ago. */
const allowedLastsMs = 60_000;
const refusedLastsMs = 10_000;
/** A longer one is no token of a service account. */
const longestToken = 16 * 1024;
/** Answers remembered of either kind. A flood of wrong tokens pushes out wrong tokens only. */
const mostKnown = 256;
/** Questions at a time; some are kept for those who were allowed before. */
const mostAsked = 8;
const mostAskedByKnown = 16;
/** Questions that strangers may cause. */
const strangers = { burst: 50, refillMs: 100 };
const timeoutMs = 5000;

/**
 * Whether the bearer of a token may `get` a path: the API server says who that is (TokenReview) and whether RBAC lets it
 * (SubjectAccessReview for the nonResourceURL), as for any component of Kubernetes.
 *
 * Fails closed: without an answer of the API server, nobody who is not known yet is allowed. Costs it little: answers are
 * remembered for a while, equal questions are asked once, and neither memory nor questions grow with the number of
 * strangers.
 */
export class AccessReview {
  readonly #options: AccessReviewOptions;
  readonly #allowed = new Map<string, Known>();
  readonly #refused = new Map<string, Known>();
  readonly #asked = new Map<string, Promise<AccessVerdict>>();
  readonly #strangers = new RateLimit(strangers);
  #lastFailure = '';

  constructor(options: AccessReviewOptions) {
    this.#options = options;
  }

  /** Never rejects. @param authorization the header of the request, if it has one. */
  async review(authorization: string | undefined, path: string): Promise<AccessVerdict> {
    const token = /^Bearer +(\S+)$/i.exec(authorization ?? '')?.[1] ?? '';
    if (token === '' || token.length > longestToken) return 'unauthenticated';
    const key = `${createHash('sha256').update(token).digest('base64')} ${path}`;
    const nowMs = this.#options.clock.monotonicMs();
    const wasAllowed = this.#allowed.get(key);
    const known = wasAllowed ?? this.#refused.get(key);
    if (known !== undefined && nowMs < known.untilMs) return known.verdict;
    const running = this.#asked.get(key);
    if (running !== undefined) return running;
    const isFull = this.#asked.size >= (wasAllowed === undefined ? mostAsked : mostAskedByKnown);
    if (isFull || (wasAllowed === undefined && !this.#strangers.take('', nowMs))) return 'unavailable';
    const question = this.#ask(key, token, path).finally(() => this.#asked.delete(key));
    this.#asked.set(key, question);
    return question;
  }

  async #ask(key: string, token: string, path: string): Promise<AccessVerdict> {
    const { clock, logger } = this.#options;
    let verdict: AccessVerdict;
    try {
      verdict = await this.#judge(token, path);
      this.#lastFailure = '';
    } catch (error) {
      const failure = formatErrorForPeople(error);
      if (failure !== this.#lastFailure)
        logger.warn('the API server cannot be asked who may read this endpoint; nothing is shown', { error });
      this.#lastFailure = failure;
      return 'unavailable';
    }
    const isAllowed = verdict === 'allowed';
    this.#allowed.delete(key);
    this.#refused.delete(key);
    const untilMs = clock.monotonicMs() + (isAllowed ? allowedLastsMs : refusedLastsMs);
    remember(isAllowed ? this.#allowed : this.#refused, key, { verdict, untilMs });
    return verdict;
  }

  /** @throws KubeError */
  async #judge(token: string, path: string): Promise<AccessVerdict> {
    const review = await this.#create('authentication.k8s.io', 'TokenReview', { token });
    if (review['authenticated'] !== true || !isRecord(review['user'])) return 'unauthenticated';
    const { username, uid, groups, extra } = review['user'];
    if (typeof username !== 'string') return 'unauthenticated';
    const access = await this.#create('authorization.k8s.io', 'SubjectAccessReview', {
      user: username,
      ...(uid === undefined ? {} : { uid }),
      ...(groups === undefined ? {} : { groups }),
      ...(extra === undefined ? {} : { extra }),
      nonResourceAttributes: { path, verb: 'get' },
    });
    return access['allowed'] === true && access['denied'] !== true ? 'allowed' : 'forbidden';
  }

  /** @returns the status of the review, empty when there is none. */
  async #create(group: string, kind: string, spec: unknown): Promise<Readonly<Record<string, unknown>>> {
    const answer = await this.#options.transport.request({
      method: 'POST',
      path: `/apis/${group}/v1/${kind.toLowerCase()}s`,
      body: { apiVersion: `${group}/v1`, kind, metadata: {}, spec },
      timeoutMs,
    });
    const status = isRecord(answer) ? answer['status'] : undefined;
    return isRecord(status) ? status : {};
  }
}

/** The oldest entries go first. */
function remember(known: Map<string, Known>, key: string, entry: Known): void {
  known.set(key, entry);
  for (const oldest of known.keys()) {
    if (known.size <= mostKnown) return;
    known.delete(oldest);
  }
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
