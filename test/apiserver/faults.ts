/** What can go wrong between a client and its API server, on purpose. */
import type { Watch } from './watches.ts';

/** Which requests; what is not said matches everything. */
export interface RequestMatch {
  readonly verb?: Verb;
  /** '' is the core group. */
  readonly group?: string;
  /** Plural: `virtualservices`. */
  readonly resource?: string;
  readonly name?: string;
  readonly user?: string;
}

export type Verb =
  'get' | 'list' | 'watch' | 'create' | 'update' | 'patch' | 'delete' | 'deletecollection' | 'nonresource';

export type FaultAction =
  /** Answers later. */
  | { readonly do: 'delay'; readonly ms: number }
  /** Never answers, and keeps the connection open. */
  | { readonly do: 'stall' }
  /** Closes the connection without a word. */
  | { readonly do: 'drop' }
  /** Begins the answer and resets the connection after so many bytes of the body. */
  | { readonly do: 'reset'; readonly afterBytes: number }
  /** Does the work, and closes the connection instead of saying so. */
  | { readonly do: 'lose-answer' }
  | {
      readonly do: 'answer';
      readonly code: number;
      readonly reason?: string;
      readonly message?: string;
      readonly retryAfterSeconds?: number;
    }
  /** A list without items, as if that were the truth. */
  | { readonly do: 'empty-list' }
  /** Gets and lists as of an older revision: a second server that lags behind. */
  | { readonly do: 'stale'; readonly revision: number };

export interface ActiveFault {
  /** How many requests met it. */
  readonly hits: number;
  remove(): void;
}

interface Entry {
  readonly match: RequestMatch;
  readonly action: FaultAction;
  left: number;
  hits: number;
}

export interface RequestFacts {
  readonly verb: Verb;
  readonly group: string;
  readonly resource: string;
  readonly name: string;
  readonly user: string;
}

export class Faults {
  #entries: Entry[] = [];
  readonly #watches: ReadonlySet<Watch>;

  constructor(watches: ReadonlySet<Watch>) {
    this.#watches = watches;
  }

  /** @param times after so many requests it is over by itself; undefined: until removed */
  add(match: RequestMatch, action: FaultAction, times = Number.POSITIVE_INFINITY): ActiveFault {
    const entry: Entry = { match, action, left: times, hits: 0 };
    this.#entries.push(entry);
    return {
      get hits() {
        return entry.hits;
      },
      remove: () => {
        this.#entries = this.#entries.filter((other) => other !== entry);
      },
    };
  }

  clear(): void {
    this.#entries = [];
  }

  /** Open watches, to stall, reset, end or expire. */
  watches(match: Pick<RequestMatch, 'resource'> = {}): readonly Watch[] {
    return [...this.#watches].filter(
      ({ request }) => match.resource === undefined || request.type.plural === match.resource,
    );
  }

  /** What the request meets: every delay, and of the others the first. */
  take(facts: RequestFacts): readonly FaultAction[] {
    const taken: FaultAction[] = [];
    for (const entry of this.#entries) {
      const { match, action } = entry;
      const fits =
        entry.left > 0 &&
        (match.group ?? facts.group) === facts.group &&
        (match.verb ?? facts.verb) === facts.verb &&
        (match.resource ?? facts.resource) === facts.resource &&
        (match.name ?? facts.name) === facts.name &&
        (match.user ?? facts.user) === facts.user;
      if (!fits || (action.do !== 'delay' && taken.some((other) => other.do !== 'delay'))) continue;
      entry.left--;
      entry.hits++;
      taken.push(action);
    }
    return taken;
  }
}
