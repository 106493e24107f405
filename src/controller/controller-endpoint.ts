import { openProcessEndpoint } from '../endpoint/index.ts';
import type { Endpoint, HealthCheck, ProcessEndpointOptions } from '../endpoint/index.ts';
import type { Controller } from './run-controller.ts';

export type ControllerEndpointOptions = Omit<ProcessEndpointOptions, 'liveness' | 'readiness' | 'pages'> & {
  /** Undefined before it has begun. */
  /** Between two attempts of the election. */
  readonly retryPeriodMs: number;
  readonly controller: () => Pick<Controller, 'isReady' | 'electionMs'> | undefined;
};

/** An attempt is a few requests, and each ends by our own clock: it takes no longer, whatever the API server does. */
const longestAttemptMs = 180_000;

/** Opens `/healthz`, `/readyz` and `/metrics`. */
export function openControllerEndpoint(options: ControllerEndpointOptions): Promise<Endpoint> {
  const { controller } = options;
  return openProcessEndpoint({
    ...options,
    liveness: () => [checkElection(options)],
    readiness: () => [
      {
        name: 'resources-read',
        problem: controller()?.isReady === true ? undefined : 'not every resource has been read yet',
      },
    ],
  });
}

function checkElection({ controller, clock, retryPeriodMs }: ControllerEndpointOptions): HealthCheck {
  const attemptedMs = controller()?.electionMs;
  const sinceMs = attemptedMs === undefined ? 0 : clock.monotonicMs() - attemptedMs;
  return {
    name: 'election',
    problem:
      sinceMs < longestAttemptMs + 2 * retryPeriodMs
        ? undefined
        : `nobody has looked at the Lease for ${Math.round(sinceMs / 1000)} s`,
  };
}
