import { createWeightController, type WeightPolicy } from '../../src/weight/index.ts';
import type { ModelledScheduler } from './scheduler-model.ts';
import type { Contender, View } from './simulate.ts';

export type Knowledge = 'CpuLimits' | 'Nothing';

/** Weights that nobody touches: all the same, or in proportion to the cores. */
export function fixedWeights(knowledge: Knowledge): Contender {
  return {
    name: knowledge === 'Nothing' ? 'static, equal' : 'static, by CPU limit',
    decide: ({ servers }) =>
      new Map(
        servers.map(({ index, cores }) => [index, knowledge === 'Nothing' ? 10 : Math.round(cores * 10)]),
      ),
  };
}

/** Exactly right at the start; never again. A server that joins gets what it can do when warm. */
export function perfectAtStart(
  scheduler: ModelledScheduler,
  pool: readonly { cores: number; speed: number }[],
): Contender {
  const weights = scaled(
    pool.map(({ cores, speed }) => cores * speed),
    scheduler,
  );
  return {
    name: 'static, perfect at start',
    decide: ({ servers }) => new Map(servers.map(({ index }) => [index, weights[index] ?? 1])),
  };
}

/** Knows at every second what every server can do. */
export function oracle(scheduler: ModelledScheduler): Contender {
  return {
    name: 'oracle',
    decide: ({ servers }) => {
      const weights = scaled(
        servers.map((server) => server.trueCapacity),
        scheduler,
      );
      return new Map(servers.map(({ index }, at) => [index, weights[at] ?? 1]));
    },
  };
}

/** This project's controller, driven as the cluster drives it. */
export function controlled(
  name: string,
  scheduler: ModelledScheduler,
  {
    policy,
    knowledge,
    periodSeconds = 1,
  }: { policy: WeightPolicy; knowledge: Knowledge; periodSeconds?: number },
): Contender {
  const controller = createWeightController({ scheduler, policy });
  let known = 0;
  return {
    name,
    decide(view: View) {
      const { servers, nowMs, samples } = view;
      if (servers.length !== known) {
        known = servers.length;
        controller.observeRealServers(
          servers.map(({ index, cores, joinedMs }) => ({
            name: String(index),
            ...(knowledge === 'CpuLimits' ? { cpuLimitCores: cores } : {}),
            ...(joinedMs === undefined ? {} : { servingSinceMs: joinedMs }),
          })),
        );
      }
      controller.observeConnections(
        servers.map(({ index, totalConnections, activeConnections }) => ({
          realServer: String(index),
          director: 'a',
          atMs: nowMs,
          totalConnections,
          activeConnections,
        })),
      );
      controller.observeMetrics(
        samples.map(({ index, timestampMs, windowMs, cpuCores }) => ({
          realServer: String(index),
          timestampMs,
          windowMs,
          // Without declared limits the source gives the busy part, which is what an application itself knows.
          ...(knowledge === 'CpuLimits'
            ? { cpuCores }
            : { utilisation: cpuCores / (servers.find((server) => server.index === index)?.cores ?? 1) }),
        })),
      );
      if (nowMs % (periodSeconds * 1000) !== 0) return new Map();
      const advice = controller.tick(nowMs);
      return new Map([...advice.weights].map(([index, { weight }]) => [Number(index), weight]));
    },
  };
}

function scaled(capacities: readonly number[], scheduler: ModelledScheduler): number[] {
  const mean = capacities.reduce((sum, value) => sum + value, 0) / capacities.length;
  return capacities.map((capacity) =>
    Math.max(1, Math.round((capacity / mean) * (scheduler === 'wrr' ? 10 : 100))),
  );
}
