import type { CheckerJob } from '../../test/lab/farm/job.ts';

/** What both contenders are told to do. */
export interface Pace {
  readonly targets: number;
  readonly question: CheckerJob['question'];
  readonly port: number;
  readonly intervalSeconds: number;
  readonly timeoutSeconds: number;
  /** Failures in a row after which a server is down. */
  readonly failureThreshold: number;
}

export function asCheckerJob(pace: Pace, changes: Partial<CheckerJob> = {}): CheckerJob {
  return {
    targets: pace.targets,
    network: '198.19',
    port: pace.port,
    question: pace.question,
    intervalMs: pace.intervalSeconds * 1000,
    timeoutMs: pace.timeoutSeconds * 1000,
    policies: [{ successThreshold: 2, failureThreshold: pace.failureThreshold }],
    isTold: false,
    ...changes,
  };
}
