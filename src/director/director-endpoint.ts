import { randomBytes } from 'node:crypto';
import type { DirectorConfiguration } from '../api/index.ts';
import type { Clock, Logger, Timers } from '../base/index.ts';
import {
  AccessReview,
  EventLoopWatch,
  healthPage,
  isLoopback,
  makeCertificate,
  openEndpoint,
} from '../endpoint/index.ts';
import type { Endpoint, HealthCheck, ListenAddress, Page, SelfSignedCertificate } from '../endpoint/index.ts';
import type { KubeTransport } from '../kube/index.ts';
import { countersPage } from './counters-page.ts';
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
  readonly serving: () => Pick<Serving, 'lastPassMs' | 'readTraffic'> | undefined;
  readonly isReady: () => boolean;
  /** Of a director in a cluster that listens for others: the certificate, and whom to ask about who asks. */
  readonly guard?: EndpointGuard | undefined;
}

export interface EndpointGuard {
  readonly certificate: SelfSignedCertificate;
  readonly transport: Pick<KubeTransport, 'request'>;
}

/** A process that did nothing for so long is restarted, which costs clients nothing. */
const longestPauseMs = 5000;
const longestPassMs = 60_000;

/** Undefined on a loopback address, which only the host itself reaches: there it is plain HTTP, for everybody. */
export function makeGuard(
  listen: ListenAddress | undefined,
  nodeName: string,
  clock: Clock,
  transport: Pick<KubeTransport, 'request'>,
): EndpointGuard | undefined {
  if (listen === undefined || isLoopback(listen)) return undefined;
  return { certificate: makeCertificate(nodeName, clock.wallMs(), randomBytes(16)), transport };
}

/** Opens `/healthz`, `/readyz` and `/v1/counters`. */
export async function openDirectorEndpoint(options: DirectorEndpointOptions): Promise<Endpoint> {
  const { listen, nodeName, clock, timers, logger, guard, serving, isReady } = options;
  const loop = new EventLoopWatch({ clock, timers });
  const pages = new Map<string, Page>([
    ['/healthz', healthPage(() => [checkEventLoop(loop), checkPasses(options)])],
    [
      '/readyz',
      healthPage(() => [
        { name: 'first-pass', problem: isReady() ? undefined : 'no pass with the whole goal has ended yet' },
      ]),
    ],
    ['/v1/counters', countersPage(nodeName, () => serving()?.readTraffic())],
  ]);
  loop.start();
  const endpoint = await openEndpoint({
    listen,
    pages,
    timers,
    logger,
    certificate: guard?.certificate,
    access: guard === undefined ? undefined : new AccessReview({ transport: guard.transport, clock, logger }),
  });
  return {
    get port() {
      return endpoint.port;
    },
    get answers() {
      return endpoint.answers;
    },
    close: async () => {
      loop.stop();
      await endpoint.close();
    },
  };
}

function checkEventLoop(loop: EventLoopWatch): HealthCheck {
  const pauseMs = loop.longestPauseMs();
  return {
    name: 'event-loop',
    problem: pauseMs < longestPauseMs ? undefined : `the process stood still for ${Math.round(pauseMs)} ms`,
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
