import type { ModelledScheduler } from './scheduler-model.ts';
import type { Contender, View } from './simulate.ts';

/**
 * Requests per second over utilisation, as client-side weighted round robin has it, but with what a load balancer in
 * front has: the rate of now and the utilisation of a window that is over. Unknown servers get the mean.
 */
export function rateOverUtilisation(scheduler: ModelledScheduler): Contender {
  const past: View[] = [];
  const utilisations = new Map<number, number>();
  return {
    name: 'rate / utilisation',
    decide(view) {
      past.push(view);
      if (past.length > 11) past.shift();
      for (const { index, cpuCores } of view.samples) {
        const cores = view.servers.find((server) => server.index === index)?.cores ?? 1;
        utilisations.set(index, Math.max(0.01, cpuCores / cores));
      }
      const found = new Map<number, number>();
      for (const { index, totalConnections } of view.servers) {
        const before = past[0]?.servers.find((server) => server.index === index)?.totalConnections;
        const utilisation = utilisations.get(index);
        if (before === undefined || utilisation === undefined || totalConnections === before) continue;
        found.set(index, (totalConnections - before) / utilisation);
      }
      const mean = [...found.values()].reduce((sum, value) => sum + value, 0) / Math.max(1, found.size);
      const unit = (scheduler === 'wrr' ? 10 : 100) / (mean || 1);
      return new Map(
        view.servers.map(({ index }) => [
          index,
          Math.max(1, Math.round((found.get(index) ?? (mean || 1)) * unit)),
        ]),
      );
    },
  };
}
