import { parseQuantity, podMetricsType } from '../cluster/index.ts';
import { isKubeError, resourcePath } from '../kube/index.ts';
import type { KubeTransport } from '../kube/index.ts';
import { isRecord } from './is-record.ts';
import { loadError } from './load-error.ts';

/** What metrics.k8s.io says of a pod. */
export interface PodMetric {
  readonly podName: string;
  /** The END of the window. */
  readonly timestampMs: number;
  readonly windowMs: number;
  /** Mean over the window. */
  readonly cpuCores: number;
  /** Working set at its end. */
  readonly memoryBytes: number | undefined;
}

/**
 * All pods of a namespace; the API knows no pages. What cannot be read of a pod becomes NaN, so that whoever judges
 * samples can say that there was one.
 *
 * @throws LvsError LVS_LOAD_SOURCE where the cluster has no such API, else a KubeError
 */
export async function readPodMetrics(
  transport: Pick<KubeTransport, 'request'>,
  namespace: string,
  signal?: AbortSignal,
): Promise<readonly PodMetric[]> {
  const source = `metrics.k8s.io of namespace ${namespace}`;
  try {
    const path = resourcePath(podMetricsType, { namespace });
    const list = await transport.request({ method: 'GET', path, ...(signal && { signal }) });
    // Not a list as others are: it has no resourceVersion.
    if (!isRecord(list) || !Array.isArray(list['items']))
      throw loadError(source, 'sent something that is no list');
    return list['items'].flatMap(readItem);
  } catch (error) {
    if (isKubeError(error, 'LVS_KUBE_NOT_FOUND'))
      throw loadError(source, 'is not there: the cluster has no metrics API, install metrics-server', error);
    throw error;
  }
}

function readItem(item: unknown): PodMetric[] {
  if (!isRecord(item) || !isRecord(item['metadata'])) return [];
  const { name } = item['metadata'];
  if (typeof name !== 'string') return [];
  const usages = Array.isArray(item['containers'])
    ? item['containers'].map((container) => (isRecord(container) ? container['usage'] : undefined))
    : [];
  const sum = (resource: string): number =>
    usages.length === 0
      ? Number.NaN
      : usages.reduce<number>(
          (total, usage) =>
            total + (parseQuantity(isRecord(usage) ? usage[resource] : undefined) ?? Number.NaN),
          0,
        );
  const memory = sum('memory');
  return [
    {
      podName: name,
      timestampMs: typeof item['timestamp'] === 'string' ? Date.parse(item['timestamp']) : Number.NaN,
      windowMs: parseDurationMs(item['window']) ?? Number.NaN,
      cpuCores: sum('cpu'),
      memoryBytes: Number.isNaN(memory) ? undefined : memory,
    },
  ];
}

const unitMs: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
};

/** As Go prints it: `15.025s`, `1m0s`. */
export function parseDurationMs(value: unknown): number | undefined {
  if (
    typeof value !== 'string' ||
    value.length > 64 ||
    !/^(?:\d+(?:\.\d+)?(?:ns|us|µs|ms|s|m|h))+$/.test(value)
  )
    return undefined;
  let sum = 0;
  for (const [, digits, unit = ''] of value.matchAll(/(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h)/g))
    sum += Number(digits) * (unitMs[unit] ?? Number.NaN);
  return sum;
}
