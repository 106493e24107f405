/** What the checker of a farm is asked to do, and what it says. Shared by the program and its driver. */
export interface CheckerJob {
  /** How many; the nth is `targetOf(network, n)`. */
  readonly targets: number;
  readonly network: '198.19' | '127.19';
  readonly port: number;
  readonly question: 'tcp' | 'http';
  readonly intervalMs: number;
  readonly timeoutMs: number;
  /** Every target is judged by each of them; none of them costs a probe more. */
  readonly policies: readonly { readonly successThreshold: number; readonly failureThreshold: number }[];
  /** Say when a verdict turns; costs a look at all of them. */
  readonly isTold: boolean;
}

export interface Turn {
  /** Index of the target. */
  readonly target: number;
  /** Index of the policy. */
  readonly policy: number;
  readonly isUp: boolean;
  /** Of the monotonic clock of the machine, as `sharedNowMs` reads it. */
  readonly atMs: number;
}

export interface CheckerTotals {
  /** Probes by how they ended: `passed`, or the reason. */
  readonly outcomes: Readonly<Record<string, number>>;
  readonly overdue: number;
}

/** One line of output. */
export type CheckerLine =
  | { readonly kind: 'turns'; readonly turns: readonly Turn[] }
  | { readonly kind: 'totals'; readonly totals: CheckerTotals };

/** The nth target of a network, from 0 to 65,535. */
export function targetOf(network: CheckerJob['network'], n: number): string {
  return `${network}.${n >> 8}.${n & 255}`;
}
