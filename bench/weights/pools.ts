import { createRandom } from './random.ts';
import { usualEvents, usualMetrics, type PoolServer, type Scenario } from './scenario.ts';

/** A pool of containers with limits of half a core to four, on nodes whose cores differ by a third either way. */
export function createPool(mix: number, size: number): PoolServer[] {
  const random = createRandom(mix * 77);
  const cores = [0.5, 1, 1, 2, 2, 4];
  return Array.from({ length: size }, (_, index) => ({
    cores: cores[Math.floor(random() * cores.length)] ?? 1,
    speed: 0.7 + 0.6 * random(),
    ...(index === size - 1 && size > 2 ? { joinsAt: 300 } : {}),
  }));
}

export type ScenarioChoice = Pick<Scenario, 'scheduler' | 'load' | 'distribution'> &
  Partial<Scenario> & { readonly mix: number; readonly size?: number };

/** Fifteen minutes of a pool in which things happen; whatever is named differs from that. */
export function createScenario({ mix, size = 16, ...choice }: ScenarioChoice): Scenario {
  const pool = createPool(mix, size);
  return {
    pool,
    requestSeconds: 0.05,
    seconds: 900,
    warmUpSeconds: 0,
    seed: mix * 13,
    events: usualEvents(pool),
    metrics: usualMetrics,
    closedSeconds: 120,
    ...choice,
  };
}
