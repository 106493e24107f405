import { formatEntry } from '../plan/index.ts';
import type { DrainRecord } from '../plan/index.ts';

/**
 * Whose connections have to be counted before a plan may end drains by what is known of them. While thousands of servers
 * fail, verdicts come many times a second; those that are known to drain wait for the next look.
 */
export class DrainCounts {
  #counted: ReadonlySet<string> = new Set();

  /**
   * The services to read now. What is returned counts as read.
   * @param isDue all of them; otherwise those with a server that nobody counted since it began to drain.
   */
  take(drains: readonly DrainRecord[], isDue: boolean): readonly string[] {
    const entries = new Set<string>();
    const services = new Set<string>();
    for (const { service, realServer } of drains) {
      const entry = formatEntry(service, realServer);
      entries.add(entry);
      if (isDue || !this.#counted.has(entry)) services.add(service);
    }
    this.#counted = entries;
    return [...services];
  }
}
