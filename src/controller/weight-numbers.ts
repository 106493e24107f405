import { labels } from '../metrics/index.ts';
import type { MetricSamples } from '../metrics/index.ts';
import type { WeightReason, WeightVerdict } from '../weight/index.ts';
import type { ControllerMetrics } from './controller-metrics.ts';
import type { ServerState, WeightPool } from './weight-pool.ts';

/** What weights do, in four words. */
const poolStates = ['following', 'held', 'fading', 'base'] as const;
type PoolState = (typeof poolStates)[number];

/**
 * Says what is told of weights: of dynamic pools and their endpoints alone, so that it ends with them, and of nothing
 * while another process leads.
 *
 * @param pools of this moment; empty in a process that does not lead
 */
export function provideWeightMetrics(metrics: ControllerMetrics, pools: () => readonly WeightPool[]): void {
  metrics.provide('lvs_controller_weight_pools', () => {
    const counts = new Map<PoolState, number>(poolStates.map((state) => [state, 0]));
    for (const { verdict } of pools()) {
      const state = stateOf(verdict);
      counts.set(state, (counts.get(state) ?? 0) + 1);
    }
    return [...counts].map(([state, count]) => [labels({ state }), count] as const);
  });
  metrics.provide('lvs_controller_virtual_service_weights', () =>
    pools().map(({ key, verdict }) => [
      labels({ virtual_service: key, reason: verdict?.reason ?? 'Base' }),
      1,
    ]),
  );
  const ofServers = function* (value: (state: ServerState) => number | undefined): MetricSamples {
    for (const pool of pools()) {
      for (const state of pool.states()) {
        const now = value(state);
        const { address } = state.server;
        if (now !== undefined) yield [labels({ virtual_service: pool.key, address }), now];
      }
    }
  };
  metrics.provide('lvs_controller_real_server_weight', () =>
    ofServers(({ weight }) => weight.effectiveWeight),
  );
  metrics.provide('lvs_controller_real_server_capacity_estimate', () =>
    ofServers(({ advised }) => advised?.capacityEstimate),
  );
  metrics.provide('lvs_controller_real_server_in_flight_factor', () =>
    ofServers(({ advised }) => advised?.inFlightFactor),
  );
  metrics.provide('lvs_controller_real_server_metric_age_seconds', () =>
    ofServers(({ advised }) => (advised?.metricAgeMs === undefined ? undefined : advised.metricAgeMs / 1000)),
  );
}

function stateOf(verdict: WeightVerdict | undefined): PoolState {
  if (verdict === undefined) return 'base';
  if (verdict.isFromLoad) return 'following';
  if (verdict.reason === 'FadingToBase') return 'fading';
  return heldBecause.has(verdict.reason) ? 'held' : 'base';
}

const heldBecause: ReadonlySet<WeightReason> = new Set(['FewFreshMetrics', 'NoConnectionReadings']);
