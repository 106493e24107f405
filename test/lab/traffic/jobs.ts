/** What a lab client can be asked to do, and what it counts. Shared by the program and its driver. */
export type ClientJob =
  | {
      readonly job: 'requests';
      readonly host: string;
      readonly port: number;
      readonly count: number;
      readonly concurrency: number;
      /** Several requests per connection. @default false: a connection each */
      readonly keepAlive?: boolean;
      readonly delayMs?: number;
      /** @default 5000 */
      readonly timeoutMs?: number;
      readonly localAddress?: string;
    }
  | {
      readonly job: 'paced requests';
      readonly host: string;
      readonly port: number;
      readonly perSecond: number;
      /** @default 120000 */
      readonly longestMs?: number;
      readonly delayMs?: number;
      readonly timeoutMs?: number;
      readonly localAddress?: string;
    }
  | {
      readonly job: 'datagrams';
      readonly host: string;
      readonly port: number;
      readonly count: number;
      /** A new client port, hence a new flow, for each. @default false */
      readonly newPorts?: boolean;
      readonly timeoutMs?: number;
    }
  | {
      readonly job: 'hold';
      readonly host: string;
      readonly port: number;
      readonly connections: number;
      /** Milliseconds between two lines on one connection. */
      readonly everyMs: number;
      /** Requests to an http port on a connection that stays, instead of lines to an echo port. @default false */
      readonly http?: boolean;
      /** Milliseconds between two connections that are opened. @default 5 */
      readonly openEveryMs?: number;
      readonly longestMs?: number;
    }
  | { readonly job: 'stream'; readonly host: string; readonly port: number; readonly streamMs: number };

export interface RequestCounts {
  sent: number;
  answered: number;
  failed: number;
  byServer: Record<string, number>;
  /** By errno name, `timeout`, or `status N`. */
  failures: Record<string, number>;
  /** Longest time from start to answer. */
  longestMs: number;
}

/** How an HTTP server answers that does not tell the truth. */
export interface Manner {
  readonly status?: number;
  readonly body?: string;
  /** Before it answers. */
  readonly delayMs?: number;
}

export interface HoldCounts {
  opened: number;
  /** Never opened. */
  refused: number;
  /** Ended although nobody asked: resets, closes. */
  broken: number;
  failures: Record<string, number>;
  messages: number;
  byServer: Record<string, number>;
  /** Those that broke, by the server that they had. */
  brokenByServer: Record<string, number>;
  /** Longest silence of any open connection. */
  longestGapMs: number;
}

export interface StreamCounts {
  bytes: number;
  /** The last byte that the server sent arrived. */
  isComplete: boolean;
  failure: string | undefined;
  server: string | undefined;
}
