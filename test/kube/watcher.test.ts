import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { KubeError } from '../../src/kube/index.ts';
import type { ErrorCode } from '../../src/base/index.ts';
import { decideNext, firstState } from '../../src/kube/watcher.ts';
import type { WatcherOutcome, WatcherState } from '../../src/kube/watcher.ts';

const watching = (version: string): WatcherState => ({ kind: 'watching', resourceVersion: version });
const failed = (code: ErrorCode, resourceVersion?: string): WatcherOutcome => ({
  kind: 'failed',
  error: new KubeError(code, 'no', { operation: 'GET /' }),
  ...(resourceVersion === undefined ? {} : { resourceVersion }),
});

describe('watcher', () => {
  const table: [
    scenario: string,
    from: WatcherState,
    outcome: WatcherOutcome,
    next: WatcherState,
    isDelayed: boolean,
  ][] = [
    [
      'a list leads to a watch from its version',
      firstState,
      { kind: 'listed', resourceVersion: '7' },
      watching('7'),
      false,
    ],
    [
      'a watch that ended goes on where it was',
      watching('7'),
      { kind: 'ended', resourceVersion: '9', isAtOnce: false },
      watching('9'),
      false,
    ],
    [
      'a watch that ends as soon as it began is not repeated at once',
      watching('7'),
      { kind: 'ended', resourceVersion: '7', isAtOnce: true },
      watching('7'),
      true,
    ],
    [
      'a broken watch goes on where it was',
      watching('7'),
      failed('LVS_KUBE_UNREACHABLE', '8'),
      watching('8'),
      true,
    ],
    [
      'a silent watch goes on where it was',
      watching('7'),
      failed('LVS_KUBE_TIMEOUT', '7'),
      watching('7'),
      true,
    ],
    [
      'a throttled watch goes on where it was',
      watching('7'),
      failed('LVS_KUBE_THROTTLED'),
      watching('7'),
      true,
    ],
    [
      'a forbidden watch goes on where it was',
      watching('7'),
      failed('LVS_KUBE_DENIED', '7'),
      watching('7'),
      true,
    ],
    [
      'a version that expired leads to a list',
      watching('7'),
      failed('LVS_KUBE_EXPIRED', '8'),
      firstState,
      true,
    ],
    [
      'a version that is refused leads to a list',
      watching('7'),
      failed('LVS_KUBE_REFUSED'),
      firstState,
      true,
    ],
    [
      'a list that must be confirmed leads to another list',
      watching('7'),
      { kind: 'unconfirmed', afterMs: 0 },
      firstState,
      true,
    ],
    ['an event that cannot be read leads to a list', watching('7'), { kind: 'lost' }, firstState, true],
    ['a list that failed is tried again', firstState, failed('LVS_KUBE_SERVER'), firstState, true],
    [
      'the first expired token begins the list again at once',
      firstState,
      { kind: 'token-expired' },
      { ...firstState, expiredTokens: 1 },
      false,
    ],
    [
      'the second takes the list in one piece',
      { ...firstState, expiredTokens: 1 },
      { kind: 'token-expired' },
      { ...firstState, expiredTokens: 2, isPaged: false },
      false,
    ],
    [
      'a failure forgets nothing of that',
      { ...firstState, expiredTokens: 2, isPaged: false },
      failed('LVS_KUBE_SERVER'),
      { ...firstState, expiredTokens: 2, isPaged: false },
      true,
    ],
    [
      'an older list than before is counted and tried again',
      { ...firstState, staleLists: 2 },
      { kind: 'stale-list' },
      { ...firstState, staleLists: 3 },
      true,
    ],
  ];
  for (const [scenario, from, outcome, next, isDelayed] of table) {
    it(scenario, () => assert.deepEqual(decideNext(from, outcome), { next, isDelayed }));
  }
});
