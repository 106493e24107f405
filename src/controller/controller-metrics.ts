import { readAddressPoolStatus, readDirectorStatus, readVirtualServiceStatus } from '../api/index.ts';
import type { Condition } from '../api/index.ts';
import type { Clock } from '../base/index.ts';
import { provideQueueMetrics, provideWatchMetrics } from '../cluster/index.ts';
import type { WorkQueue } from '../kube/index.ts';
import {
  clusterMetrics,
  controllerMetrics,
  labels,
  processMetrics,
  weightMetrics,
} from '../metrics/index.ts';
import type { LabelText, Metrics, MetricSamples } from '../metrics/index.ts';
import type { ControllerKinds } from './controller-stores.ts';
import type { Controller } from './run-controller.ts';
import type { QueueName } from './term.ts';
import { provideWeightMetrics } from './weight-numbers.ts';
import type { WeightPool } from './weight-pool.ts';

/** What a controller tells. */
export const allMetrics = { ...controllerMetrics, ...weightMetrics, ...clusterMetrics, ...processMetrics };

export type ControllerMetrics = Metrics<typeof allMetrics>;

export interface ControllerMetricsSource {
  readonly kinds: ControllerKinds;
  readonly controller: Pick<Controller, 'isLeading' | 'isReady'>;
  readonly clock: Clock;
  /** Undefined while this process does not lead. */
  readonly queues: () =>
    Readonly<Record<QueueName, Pick<WorkQueue, 'size' | 'running' | 'added'>>> | undefined;
  /** Undefined likewise. */
  readonly weightPools: () => ReadonlyMap<string, WeightPool> | undefined;
}

/** Says where each number comes from: mostly the stores, so that followers tell the same as the leader. */
export function provideControllerMetrics(metrics: ControllerMetrics, source: ControllerMetricsSource): void {
  const { kinds, controller, clock, queues } = source;
  metrics.provideValue('lvs_controller_leader', () => (controller.isLeading ? 1 : 0));
  metrics.provideValue('lvs_controller_ready', () => (controller.isReady ? 1 : 0));
  metrics.provide('lvs_controller_virtual_services', () =>
    countReady([...kinds.virtualServices.store.values()].map((object) => readVirtualServiceStatus(object))),
  );
  metrics.provide('lvs_controller_directors', () =>
    countReady([...kinds.directors.store.values()].map((object) => readDirectorStatus(object))),
  );
  provideSliceMetrics(metrics, kinds);
  providePoolMetrics(metrics, kinds);
  provideWeightMetrics(metrics, () => [...(source.weightPools()?.values() ?? [])]);
  provideWatchMetrics(metrics, { ...kinds }, clock);
  for (const name of ['status', 'endpoints'] as const)
    provideQueueMetrics(metrics, name, () => queues()?.[name]);
}

function provideSliceMetrics(metrics: ControllerMetrics, { realServerSlices }: ControllerKinds): void {
  metrics.provideValue('lvs_controller_real_server_slices', () => realServerSlices.store.size);
  metrics.provide('lvs_controller_endpoints', () => {
    const counts = { Serving: 0, Draining: 0 };
    for (const { spec } of realServerSlices.store.values())
      for (const { phase } of spec.endpoints) counts[phase]++;
    return Object.entries(counts).map(([phase, count]) => [labels({ phase }), count] as const);
  });
}

function providePoolMetrics(metrics: ControllerMetrics, { addressPools }: ControllerKinds): void {
  type Counts = NonNullable<ReturnType<typeof readAddressPoolStatus>['counts']>;
  const ofPools = function* (value: (counts: Counts) => number): MetricSamples {
    for (const pool of addressPools.store.values()) {
      const { counts } = readAddressPoolStatus(pool);
      if (counts !== undefined) yield [labels({ pool: pool.metadata.name }), value(counts)];
    }
  };
  metrics.provide('lvs_controller_pool_addresses', () => ofPools(({ addresses }) => Number(addresses)));
  metrics.provide('lvs_controller_pool_allocated_addresses', () => ofPools(({ allocated }) => allocated));
  metrics.provide('lvs_controller_pool_quarantined_addresses', () =>
    ofPools(({ quarantined }) => quarantined),
  );
}

/** How many are ready, are not, or have not been judged. */
function countReady(
  statuses: readonly { readonly conditions: readonly Condition[] }[],
): (readonly [LabelText, number])[] {
  const counts = { True: 0, False: 0, Unknown: 0 };
  for (const { conditions } of statuses)
    counts[conditions.find(({ type }) => type === 'Ready')?.status ?? 'Unknown']++;
  return Object.entries(counts).map(([ready, count]) => [labels({ ready }), count]);
}
