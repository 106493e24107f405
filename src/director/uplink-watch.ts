import type { ObservedLink } from '../link/pure.ts';
import type { Uplink } from '../plan/index.ts';

/**
 * Whether this director is cut off by its own links. Uplinks that were ever there count, as one that goes down is found
 * among the uplinks no longer; those that a host has for other ends, such as a bridge without ports, do not.
 */
export class UplinkWatch {
  readonly #names = new Set<string>();

  /** True when every uplink that there ever was is down now. */
  areAllDown(links: readonly ObservedLink[], uplinks: readonly Uplink[]): boolean {
    for (const { name } of uplinks) {
      const link = links.find((candidate) => candidate.name === name);
      if (link !== undefined && isCarrying(link)) this.#names.add(name);
    }
    return this.#names.size > 0 && !links.some((link) => this.#names.has(link.name) && isCarrying(link));
  }
}

function isCarrying({ isUp, hasCarrier }: ObservedLink): boolean {
  return isUp && hasCarrier;
}
