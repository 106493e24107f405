import { randomBytes } from 'node:crypto';
import type { Clock, Logger, Timers } from '../base/index.ts';
import type { KubeTransport } from '../kube/index.ts';
import { provideProcessMetrics } from '../metrics/index.ts';
import type { Metrics, processMetrics } from '../metrics/index.ts';
import { AccessReview } from './access-review.ts';
import { EventLoopWatch } from './event-loop-watch.ts';
import { healthPage } from './health-page.ts';
import type { HealthCheck } from './health-page.ts';
import { isLoopback } from './listen-address.ts';
import type { ListenAddress } from './listen-address.ts';
import { metricsPage, provideAnswerMetrics } from './metrics-page.ts';
import { openEndpoint } from './open-endpoint.ts';
import type { Endpoint } from './open-endpoint.ts';
import type { Page } from './page.ts';
import { makeCertificate } from './self-signed-certificate.ts';
import type { SelfSignedCertificate } from './self-signed-certificate.ts';

export interface ProcessEndpointOptions {
  readonly listen: ListenAddress;
  /** Undefined: plain HTTP for everybody who reaches the address. */
  readonly guard: EndpointGuard | undefined;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly logger: Logger;
  readonly version: string;
  readonly metrics: Metrics<typeof processMetrics>;
  /** What has to be well for the process not to be restarted, beside its event loop. */
  readonly liveness: () => readonly HealthCheck[];
  readonly readiness: () => readonly HealthCheck[];
  /** Pages beside `/healthz`, `/readyz` and `/metrics`. */
  readonly pages?: readonly (readonly [path: string, page: Page])[];
}

/** The certificate, and whom to ask about who asks. */
export interface EndpointGuard {
  readonly certificate: SelfSignedCertificate;
  readonly transport: Pick<KubeTransport, 'request'>;
}

/** A process that did nothing for so long is restarted, which costs clients nothing. */
const longestPauseMs = 5000;

/**
 * For a process in a cluster.
 * @returns undefined on a loopback address, which only the host itself reaches: there it is plain HTTP, for everybody.
 */
export function makeGuard(
  listen: ListenAddress,
  name: string,
  clock: Pick<Clock, 'wallMs'>,
  transport: Pick<KubeTransport, 'request'>,
): EndpointGuard | undefined {
  if (isLoopback(listen)) return undefined;
  return { certificate: makeCertificate(name, clock.wallMs(), randomBytes(16)), transport };
}

/** Opens `/healthz`, `/readyz` and `/metrics`, and what else there is. */
export async function openProcessEndpoint(options: ProcessEndpointOptions): Promise<Endpoint> {
  const { listen, guard, clock, timers, logger, metrics, version } = options;
  const loop = new EventLoopWatch({ clock, timers }, (lagSeconds) =>
    metrics.observe('lvs_operator_event_loop_lag_seconds', {}, lagSeconds),
  );
  provideProcessMetrics(metrics, { version, startedWallMs: clock.wallMs() - process.uptime() * 1000 });
  const pages = new Map<string, Page>([
    ['/healthz', healthPage(() => [checkEventLoop(loop), ...options.liveness()])],
    ['/readyz', healthPage(options.readiness)],
    ['/metrics', metricsPage(metrics)],
    ...(options.pages ?? []),
  ]);
  loop.start();
  const endpoint = await openEndpoint({
    listen,
    pages,
    timers,
    logger,
    certificate: guard?.certificate,
    access: guard && new AccessReview({ transport: guard.transport, clock, logger }),
  });
  provideAnswerMetrics(metrics, endpoint);
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
