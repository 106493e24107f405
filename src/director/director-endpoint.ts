import type { DirectorConfiguration } from '../api/index.ts';
import type { Clock, Logger, Timers } from '../base/index.ts';
import { openProcessEndpoint } from '../endpoint/index.ts';
import type { Endpoint, EndpointGuard, HealthCheck, ListenAddress } from '../endpoint/index.ts';
import { countersPage } from './counters-page.ts';
import { provideDirectorMetrics } from './director-metrics.ts';
import type { DirectorMetrics } from './director-metrics.ts';
import { describeMaintenance } from './maintenance.ts';
import type { Serving } from './serving.ts';

/** What the endpoint of a director asks when somebody asks it. */
export interface DirectorEndpointOptions {
  readonly listen: ListenAddress;
  readonly nodeName: string;
  readonly configuration: Pick<DirectorConfiguration, 'driftCheckSeconds'>;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly logger: Logger;
  /** Undefined: no loop runs, as before the start or on a node that is no director. */
  readonly serving: () => Serving | undefined;
  readonly isReady: () => boolean;
  readonly metrics: DirectorMetrics;
  readonly version: string;
  readonly guard?: EndpointGuard | undefined;
}

/** A loop that did not get round for so long is restarted. */
const longestPassMs = 60_000;

/** Opens `/healthz`, `/readyz`, `/metrics` and `/v1/counters`. */
export function openDirectorEndpoint(options: DirectorEndpointOptions): Promise<Endpoint> {
  const { nodeName, serving, isReady, metrics, guard } = options;
  provideDirectorMetrics(metrics, options);
  return openProcessEndpoint({
    ...options,
    guard,
    liveness: () => [checkPasses(options)],
    readiness: () => [
      { name: 'first-pass', problem: isReady() ? undefined : 'no pass with the whole goal has ended yet' },
      checkMaintenance(serving()),
    ],
    pages: [['/v1/counters', countersPage(nodeName, () => serving()?.readCounters())]],
  });
}

/** A router that asks sends new clients elsewhere. */
function checkMaintenance(serving: Serving | undefined): HealthCheck {
  const maintenance = serving?.maintenance;
  return {
    name: 'maintenance',
    problem: maintenance === undefined ? undefined : describeMaintenance(maintenance),
  };
}

/** A pass that fails is the kernel's trouble and told elsewhere; one that never ends is ours. */
function checkPasses({ serving, clock, configuration }: DirectorEndpointOptions): HealthCheck {
  const lastMs = serving()?.lastPassMs;
  const sinceMs = lastMs === undefined ? 0 : clock.monotonicMs() - lastMs;
  const mostMs = longestPassMs + 2 * configuration.driftCheckSeconds * 1000;
  return {
    name: 'passes',
    problem: sinceMs < mostMs ? undefined : `no pass has ended for ${Math.round(sinceMs / 1000)} s`,
  };
}
