import { parseQuantity } from './quantity.ts';
import { fieldsOf, listOf } from './read-fields.ts';

/** What a pod may use. Undefined where a container has no such bound: then the pod has none. */
export interface PodResources {
  /** In cores. */
  readonly cpuLimit: number | undefined;
  readonly cpuRequest: number | undefined;
  /** In bytes. */
  readonly memoryLimit: number | undefined;
}

const none: PodResources = { cpuLimit: undefined, cpuRequest: undefined, memoryLimit: undefined };

/** Replicas of a workload have the same; beyond this the pool starts anew. */
const poolMax = 4096;

/** One object for equal resources, as `SharedLabels` does it for labels. */
export class SharedResources {
  readonly #pool = new Map<string, PodResources>();

  /** The sum over the containers that run together with the pod, or what the pod declares as a whole. */
  read(spec: unknown): PodResources {
    const resources: PodResources = {
      cpuLimit: bound(spec, 'limits', 'cpu'),
      cpuRequest: bound(spec, 'requests', 'cpu'),
      memoryLimit: bound(spec, 'limits', 'memory'),
    };
    const key = `${resources.cpuLimit} ${resources.cpuRequest} ${resources.memoryLimit}`;
    const known = this.#pool.get(key);
    if (known !== undefined) return known;
    if (this.#pool.size >= poolMax) this.#pool.clear();
    const shared = key === 'undefined undefined undefined' ? none : resources;
    this.#pool.set(key, shared);
    return shared;
  }
}

function bound(spec: unknown, kind: 'limits' | 'requests', resource: string): number | undefined {
  const { containers, initContainers, resources } = fieldsOf(spec);
  const whole = parseQuantity(fieldsOf(fieldsOf(resources)[kind])[resource]);
  if (whole !== undefined) return whole > 0 ? whole : undefined;
  // A sidecar is an init container that is started again and again (KEP-753).
  const sidecars = listOf(initContainers).filter((one) => fieldsOf(one)['restartPolicy'] === 'Always');
  let sum = 0;
  for (const container of [...listOf(containers), ...sidecars]) {
    const own = parseQuantity(fieldsOf(fieldsOf(fieldsOf(container)['resources'])[kind])[resource]);
    if (own === undefined || own <= 0) return undefined;
    sum += own;
  }
  return sum > 0 ? sum : undefined;
}
