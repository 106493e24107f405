import type { VirtualServiceResource } from '../api/index.ts';

/** Asks the kernel for a scheduler module; loading one takes tens of milliseconds inside the call. */
export interface SchedulerProbe {
  isSchedulerAvailable(name: string): boolean;
}

/**
 * Which schedulers this kernel has. Each is asked for once, before the first service needs it, so that a missing
 * module becomes a refusal of the objects that name it rather than a failing pass. Misses are asked again at the next
 * full check: somebody may have installed the module.
 */
export class SchedulerCatalogue {
  readonly #probe: SchedulerProbe;
  readonly #isAvailable = new Map<string, boolean>();

  constructor(probe: SchedulerProbe) {
    this.#probe = probe;
  }

  /** Schedulers that these objects want and the kernel lacks, sorted. */
  unavailable(virtualServices: readonly VirtualServiceResource[]): readonly string[] {
    for (const { spec } of virtualServices) {
      if (!this.#isAvailable.has(spec.scheduler)) {
        this.#isAvailable.set(spec.scheduler, this.#probe.isSchedulerAvailable(spec.scheduler));
      }
    }
    return [...this.#isAvailable].flatMap(([name, isAvailable]) => (isAvailable ? [] : [name])).toSorted();
  }

  forgetMisses(): void {
    for (const [name, isAvailable] of this.#isAvailable) if (!isAvailable) this.#isAvailable.delete(name);
  }
}
