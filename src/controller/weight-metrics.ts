import { metricsOf } from '../api/index.ts';
import type { PrometheusMetricsSpec } from '../api/index.ts';
import { formatErrorForPeople } from '../base/index.ts';
import type { Clock, Logger } from '../base/index.ts';
import type { KubeTransport } from '../kube/index.ts';
import { loadError, readPodMetrics } from '../load/index.ts';
import type { PodMetric, PrometheusClient, PrometheusSample } from '../load/index.ts';
import type { MetricSample } from '../weight/index.ts';
import type { PoolServer, WeightPool } from './weight-pool.ts';

export interface WeightMetricsOptions {
  readonly transport: Pick<KubeTransport, 'request'>;
  /** Undefined: the controller was told of none. */
  readonly prometheus: PrometheusClient | undefined;
  readonly clock: Clock;
  readonly logger: Logger;
  /** A question of us had no answer that is of use. */
  readonly onFailure: (source: WeightSource) => void;
}

/** Who is asked. What servers tell of themselves comes with the counters of directors. */
export type WeightSource = 'PodMetrics' | 'Prometheus' | 'Directors';

/** metrics-server has something new every 15 s at most. */
const podMetricsIntervalMs = 10_000;
const leastQueryIntervalMs = 10_000;
const mostQueryIntervalMs = 60_000;

/** Reads the sources of metrics at their own pace, each namespace and each query once at a time. */
export class WeightMetrics {
  readonly #options: WeightMetricsOptions;
  readonly #end = new AbortController();
  readonly #askedMs = new Map<string, number>();
  readonly #running = new Set<string>();
  readonly #failures = new Map<string, string>();

  constructor(options: WeightMetricsOptions) {
    this.#options = options;
  }

  /** Asks what is due; answers reach the pools later. */
  ask(pools: readonly WeightPool[]): void {
    const namespaces = Map.groupBy(
      pools.filter((pool) => sourceOf(pool) === 'PodMetrics'),
      namespaceOf,
    );
    for (const [namespace, behind] of namespaces)
      this.#askDue(`metrics.k8s.io ${namespace}`, podMetricsIntervalMs, behind, async () => {
        const metrics = await readPodMetrics(this.#options.transport, namespace, this.#end.signal);
        for (const pool of behind) pool.observeMetrics(samplesOf(metrics, pool));
      });
    const keys = new Set([...namespaces.keys()].map((namespace) => `metrics.k8s.io ${namespace}`));
    for (const pool of pools) {
      const spec = metricsOf(pool.spec.weightPolicy);
      if (spec?.source !== 'Prometheus' || spec.prometheus === undefined) continue;
      const key = `query of ${pool.key}`;
      keys.add(key);
      const { prometheus } = spec;
      const windowMs = prometheus.windowSeconds * 1000;
      const intervalMs = Math.min(mostQueryIntervalMs, Math.max(leastQueryIntervalMs, windowMs));
      this.#askDue(key, intervalMs, [pool], () => this.#query(pool, prometheus));
    }
    for (const key of this.#askedMs.keys()) if (!keys.has(key)) this.#forget(key);
  }

  close(): void {
    this.#end.abort();
  }

  #forget(key: string): void {
    this.#askedMs.delete(key);
    this.#failures.delete(key);
  }

  #askDue(key: string, intervalMs: number, pools: readonly WeightPool[], read: () => Promise<void>): void {
    const nowMs = this.#options.clock.monotonicMs();
    const lastMs = this.#askedMs.get(key) ?? Number.NEGATIVE_INFINITY;
    if (this.#running.has(key) || nowMs - lastMs < intervalMs) return;
    this.#askedMs.set(key, nowMs);
    this.#running.add(key);
    void read()
      .then(
        () => this.#note(key, undefined),
        (error: unknown) => {
          if (this.#end.signal.aborted) return;
          const message = formatErrorForPeople(error).replace(/\.$/, '');
          this.#options.onFailure(key.startsWith('query') ? 'Prometheus' : 'PodMetrics');
          this.#note(key, message);
          for (const pool of pools) pool.observeMetricsFailure(message);
        },
      )
      .finally(() => this.#running.delete(key));
  }

  #note(key: string, failure: string | undefined): void {
    if (this.#failures.get(key) === failure) return;
    if (failure === undefined) {
      this.#failures.delete(key);
      this.#options.logger.info('a source of metrics answers again', { source: key });
    } else {
      this.#failures.set(key, failure);
      const reason = failure;
      this.#options.logger.warn('a source of metrics does not answer; weights hold', { source: key, reason });
    }
  }

  async #query(pool: WeightPool, spec: PrometheusMetricsSpec): Promise<void> {
    const { prometheus } = this.#options;
    if (prometheus === undefined)
      throw loadError('Prometheus', 'is not known to the controller; start it with --prometheus-url');
    const samples = await prometheus.query(spec.query, this.#end.signal);
    const own = matchSamples(samples, pool, spec);
    if (own.length === 0) {
      const what =
        samples.length === 0
          ? 'has no samples for the query'
          : `has ${samples.length} samples for the query, and no label pod or instance of them names a server`;
      throw loadError('Prometheus', what);
    }
    pool.observeMetrics(own);
  }
}

function sourceOf(pool: WeightPool): string | undefined {
  return metricsOf(pool.spec.weightPolicy)?.source;
}

function namespaceOf({ key }: WeightPool): string {
  return key.slice(0, key.indexOf('/'));
}

/** By name of the pod. A pod that ends and one that begins may have one name; the pool knows only one of them. */
function serversByPod(pool: WeightPool): ReadonlyMap<string, PoolServer> {
  const servers = new Map<string, PoolServer>();
  for (const server of pool.servers)
    if (server.podName !== undefined && (server.isServing || !servers.has(server.podName)))
      servers.set(server.podName, server);
  return servers;
}

function samplesOf(metrics: readonly PodMetric[], pool: WeightPool): readonly MetricSample[] {
  const servers = serversByPod(pool);
  return metrics.flatMap(({ podName, timestampMs, windowMs, cpuCores, memoryBytes }) => {
    const server = servers.get(podName);
    if (server === undefined) return [];
    const { memoryLimit } = server.resources ?? {};
    const memory =
      memoryBytes === undefined || memoryLimit === undefined ? {} : { memory: memoryBytes / memoryLimit };
    return [{ realServer: server.name, timestampMs, windowMs, cpuCores, ...memory }];
  });
}

/**
 * The samples that are of servers of the pool. A query may say more than that, also of other namespaces; of several
 * samples for one server none is taken, since nobody can say which is meant.
 */
function matchSamples(
  samples: readonly PrometheusSample[],
  pool: WeightPool,
  spec: PrometheusMetricsSpec,
): readonly MetricSample[] {
  const byPod = serversByPod(pool);
  const namespace = namespaceOf(pool);
  const matched = new Map<string, MetricSample | undefined>();
  for (const { labels, timestampMs, value } of samples) {
    if (labels['namespace'] !== undefined && labels['namespace'] !== namespace) continue;
    const { pod, instance } = labels;
    const server =
      typeof pod === 'string'
        ? byPod.get(pod)
        : typeof instance === 'string'
          ? pool.addresses.get(hostOf(instance))
          : undefined;
    if (server === undefined) continue;
    const { name } = server;
    const measured = spec.unit === 'Cores' ? { cpuCores: value } : { utilisation: value };
    const sample = { realServer: name, timestampMs, windowMs: spec.windowSeconds * 1000, ...measured };
    matched.set(name, matched.has(name) ? undefined : sample);
  }
  return [...matched.values()].filter((sample) => sample !== undefined);
}

/** `192.0.2.1:9100`, `[2001:db8::1]:9100` or an address alone. */
function hostOf(instance: string): string {
  const [, bracketed, host] = /^(?:\[([^\]]+)\]|([^:]+))(?::\d+)?$/.exec(instance) ?? [];
  return bracketed ?? host ?? instance;
}
