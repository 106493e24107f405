/**
 * metrics.k8s.io as metrics-server serves it behind the aggregation of an API server: it can be got and listed and
 * nothing else, its lists have no resourceVersion, and when it is away the API server says 503 for it.
 */
import { ApiError, notFound } from './api-error.ts';
import type { Mapping } from './objects.ts';
import type { ResourceRequest } from './request.ts';
import { apiVersionOf } from './resource-type.ts';
import type { ResourceType } from './resource-type.ts';
import { anything, objectSchema } from './schema.ts';

export interface PodUsage {
  /** A quantity, as metrics-server writes it in nanocores: `123456789n`. */
  readonly cpu: string;
  /** @default 64Mi */
  readonly memory?: string;
  /** RFC 3339 in whole seconds, the END of the window. */
  readonly timestamp: string;
  /** As Go prints a duration. @default 15.1s */
  readonly window?: string;
}

export const podMetricsType: ResourceType = {
  group: 'metrics.k8s.io',
  version: 'v1beta1',
  kind: 'PodMetrics',
  listKind: 'PodMetricsList',
  plural: 'pods',
  singular: '',
  shortNames: [],
  categories: [],
  isNamespaced: true,
  isCustom: false,
  hasStatus: false,
  hasGeneration: false,
  verbs: ['get', 'list'],
  schema: objectSchema(anything),
  columns: [],
  selectableFields: [],
  allowsUnconditionalUpdate: false,
};

export class PodMetrics {
  /** False: as long as metrics-server is down. */
  isAvailable = true;
  readonly #items = new Map<string, Mapping>();

  report(namespace: string, name: string, usage: PodUsage): void {
    const { cpu, memory = '64Mi', timestamp, window = '15.1s' } = usage;
    this.write(namespace, name, {
      metadata: { name, namespace, creationTimestamp: timestamp },
      timestamp,
      window,
      containers: [{ name: 'main', usage: { cpu, memory } }],
    });
  }

  /** Any item, however broken. */
  write(namespace: string, name: string, item: Mapping): void {
    this.#items.set(`${namespace}/${name}`, item);
  }

  clear(): void {
    this.#items.clear();
  }

  /** @throws ApiError 405 for everything but get and list, 503 when it is away, 404 for a pod that it does not know */
  answer({ verb, namespace, name }: ResourceRequest): Mapping {
    if (!this.isAvailable)
      throw new ApiError(
        503,
        'ServiceUnavailable',
        'the server is currently unable to handle the request (get pods.metrics.k8s.io)',
      );
    const apiVersion = apiVersionOf(podMetricsType);
    if (verb === 'list') {
      const items = [...this.#items].filter(([key]) => namespace === '' || key.startsWith(`${namespace}/`));
      return { kind: 'PodMetricsList', apiVersion, metadata: {}, items: items.map(([, item]) => item) };
    }
    if (verb !== 'get')
      throw new ApiError(
        405,
        'MethodNotAllowed',
        `the server does not allow this method on the requested resource`,
      );
    const item = this.#items.get(`${namespace}/${name}`);
    if (item === undefined) throw notFound(podMetricsType, name);
    return { kind: 'PodMetrics', apiVersion, ...item };
  }
}
