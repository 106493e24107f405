import { readFileSync, readdirSync } from 'node:fs';
import {
  describeForeignHands,
  entryOfChange,
  foughtEntries,
  isRepair,
  noForeignHands,
  recordRepairs,
  withholdRepairs,
} from '../plan/index.ts';
import type { Change, ForeignHands } from '../plan/index.ts';
import type { Logger } from '../base/index.ts';
import type { Host } from './host.ts';

/** Keeps the state of the fight between passes, and looks for the opponent only while there is one. */
export class ForeignHandsWatch {
  readonly #host: Host;
  readonly #logger: Logger;
  #state: ForeignHands = noForeignHands;
  #told: ReadonlySet<string> = new Set();

  constructor(host: Host, logger: Logger) {
    this.#host = host;
    this.#logger = logger;
  }

  /** The changes that may go on now; repairs of contested entries wait until `wakeAtMs` (wall clock). */
  select(
    changes: readonly Change[],
    nowMs: number,
  ): { changes: readonly Change[]; wakeAtMs: number | undefined } {
    return withholdRepairs(changes, this.#state, nowMs);
  }

  record(applied: readonly Change[], nowMs: number): void {
    this.#state = recordRepairs(
      this.#state,
      [...new Set(applied.filter(isRepair).map(entryOfChange))],
      nowMs,
    );
    const fought = foughtEntries(this.#state);
    // Once for each entry and fight: the repairs that follow are no news.
    if (fought.some((entry) => !this.#told.has(entry)))
      this.#logger.warn('another program changes our entries', { message: this.describe() });
    this.#told = new Set(fought);
  }

  /** One sentence for people; undefined in peace. */
  describe(): string | undefined {
    if (foughtEntries(this.#state).length === 0) return undefined;
    return describeForeignHands(this.#state, {
      interfaces: this.#host.state.links.map((link) => link.name),
      processes: listProcessNames(),
    });
  }
}

/** Names of the processes that this one can see; in a container those are few, and that is fine for a hint. */
function listProcessNames(): readonly string[] {
  const names = new Set<string>();
  for (const entry of readdirSync('/proc')) {
    if (!/^\d+$/.test(entry)) continue;
    try {
      names.add(readFileSync(`/proc/${entry}/comm`, 'utf8').trim());
    } catch {
      // Ended meanwhile.
    }
  }
  return [...names];
}
