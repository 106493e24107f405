import { unreachable } from '../base/index.ts';
import { isKubeError } from './kube-error.ts';

/**
 * Where a watcher stands. It begins by listing; a complete list leads to watching from the list's version; a watch that
 * ends, breaks or falls silent resumes where it was; only a version that the server has forgotten, an event that was lost
 * and a list that must be confirmed lead back to a list.
 *
 *   listing ── listed ──► watching ──► watching ──► …
 *      ▲                     │
 *      └─ expired, lost, ────┘
 *         unconfirmed
 */
export type WatcherState = ListingState | { readonly kind: 'watching'; readonly resourceVersion: string };

export interface ListingState {
  readonly kind: 'listing';
  /** False after two continue tokens expired: the cluster changes faster than we turn pages. */
  readonly isPaged: boolean;
  readonly expiredTokens: number;
  /** Lists in a row that were older than what we know. */
  readonly staleLists: number;
}

/** What came of one list or one watch. */
export type WatcherOutcome =
  | { readonly kind: 'listed'; readonly resourceVersion: string }
  | { readonly kind: 'token-expired' }
  /** The list is older than what we saw: it came from an API server that lags behind. It was not taken in. */
  | { readonly kind: 'stale-list' }
  /** @property resourceVersion of the last event, where watching goes on */
  | { readonly kind: 'ended'; readonly resourceVersion: string; readonly isAtOnce: boolean }
  /** A second list must say whether what the last one lacked is gone; not before `afterMs`. */
  | { readonly kind: 'unconfirmed'; readonly afterMs: number }
  /** An event could not be read, so the store may lack a change that no later event repeats. */
  | { readonly kind: 'lost' }
  | { readonly kind: 'failed'; readonly error: unknown; readonly resourceVersion?: string };

export interface WatcherStep {
  readonly next: WatcherState;
  /** Wait out the backoff first. */
  readonly isDelayed: boolean;
}

export const firstState: ListingState = { kind: 'listing', isPaged: true, expiredTokens: 0, staleLists: 0 };

/**
 * So many stale lists in a row, with backoff between them, are no lagging replica: somebody restored an older etcd, and
 * the old state is the truth now.
 */
export const mostStaleLists = 6;

export function decideNext(state: WatcherState, outcome: WatcherOutcome): WatcherStep {
  switch (outcome.kind) {
    case 'listed':
      return { next: { kind: 'watching', resourceVersion: outcome.resourceVersion }, isDelayed: false };
    case 'token-expired':
      return afterExpiredToken(state);
    case 'stale-list': {
      const staleLists = state.kind === 'listing' ? state.staleLists + 1 : 1;
      return { next: { ...firstState, staleLists }, isDelayed: true };
    }
    case 'ended':
      return {
        next: { kind: 'watching', resourceVersion: outcome.resourceVersion },
        isDelayed: outcome.isAtOnce,
      };
    case 'unconfirmed':
    case 'lost':
      return { next: firstState, isDelayed: true };
    case 'failed':
      return afterFailure(state, outcome);
    default:
      return unreachable(outcome);
  }
}

function afterExpiredToken(state: WatcherState): WatcherStep {
  if (state.kind === 'watching') return { next: firstState, isDelayed: true };
  const expiredTokens = state.expiredTokens + 1;
  return { next: { ...state, expiredTokens, isPaged: expiredTokens < 2 }, isDelayed: expiredTokens > 2 };
}

function afterFailure(
  state: WatcherState,
  { error, resourceVersion }: Extract<WatcherOutcome, { kind: 'failed' }>,
): WatcherStep {
  if (state.kind === 'listing') return { next: state, isDelayed: true };
  // A refused watch (400, 422) is a version that this server cannot read: nothing to resume from.
  const isUseless = isKubeError(error, 'LVS_KUBE_EXPIRED') || isKubeError(error, 'LVS_KUBE_REFUSED');
  return {
    next: isUseless
      ? firstState
      : { kind: 'watching', resourceVersion: resourceVersion ?? state.resourceVersion },
    isDelayed: true,
  };
}
