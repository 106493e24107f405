import { failureReasons } from '../health/index.ts';
import type { FailureReason } from '../health/index.ts';
import type { HealthMemory, ServerHealth } from '../plan/index.ts';

/** `Unchecked`: it has no check any more. */
type UpReason = 'Passed' | 'Unchecked';
/** `NotAskedYet`: it has got a check, and begins down. */
type DownReason = FailureReason | 'NotAskedYet';

/** How often real servers went up and down, by why; whatever can be counted is there from the start. */
export interface TransitionCounts {
  readonly up: Readonly<Record<UpReason, number>>;
  readonly down: Readonly<Record<DownReason, number>>;
}

/** Counts what changes from pass to pass. Services that nothing happened to are the same objects, and cost nothing. */
export class TransitionCounter {
  readonly #up: Record<UpReason, number> = { Passed: 0, Unchecked: 0 };
  readonly #down: Record<DownReason, number>;

  constructor() {
    const none = Object.keys(failureReasons).map((reason) => [reason, 0] as const);
    this.#down = { ...(Object.fromEntries(none) as Record<FailureReason, number>), NotAskedYet: 0 };
  }

  get counts(): TransitionCounts {
    return { up: { ...this.#up }, down: { ...this.#down } };
  }

  compare(before: HealthMemory, after: HealthMemory): void {
    if (before === after) return;
    for (const [key, health] of after.services) {
      const last = before.services.get(key);
      if (last === undefined || last === health) continue;
      for (const [serverKey, server] of health.servers) {
        const was = last.servers.get(serverKey);
        if (was !== undefined && was.isUp !== server.isUp) this.#count(server);
      }
    }
  }

  #count({ isUp, verdict }: ServerHealth): void {
    if (isUp) this.#up[verdict === undefined ? 'Unchecked' : 'Passed']++;
    else this.#down[verdict?.reason ?? 'NotAskedYet']++;
  }
}
