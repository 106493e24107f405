import type { Member } from './member.ts';
import { isWorthWriting, wholeWeight } from './whole-weights.ts';

/**
 * Which of the weights that moved are written now. Each write is an object in the API server, a netlink message on
 * every director and, under wrr, a return to the first server, so they are rationed: 1.15 a minute for each server in
 * the long run. The fewer are left, the further a weight must have moved; who moved furthest comes first.
 *
 * At the start there is plenty, because nobody knows yet which weights are right.
 */
export class WriteBudget {
  #left: number | undefined;

  spend(members: readonly Member[], elapsedMs: number): void {
    const perMinute = Math.max(leastPerMinute, perServerAndMinute * members.length);
    const full = perMinute / 2;
    const refilled = (this.#left ?? startPerServer * members.length) + (perMinute * elapsedMs) / 60_000;
    let left = Math.min(refilled, Math.max(full, this.#left ?? Infinity));
    const moved: [distance: number, member: Member][] = [];
    for (const member of members) {
      const { exactWeight } = member.trace;
      const known = member.advised ?? member.server.currentWeight;
      member.advised = known ?? wholeWeight(exactWeight);
      if (known !== undefined && isWorthWriting(exactWeight, known))
        moved.push([Math.abs(Math.log(wholeWeight(exactWeight) / Math.max(1, known))), member]);
    }
    moved.sort(([a], [b]) => b - a);
    for (const [distance, member] of moved) {
      if (left < 1 || distance < farWhenEmpty * (1 - left / full)) break;
      left--;
      member.advised = wholeWeight(member.trace.exactWeight);
    }
    this.#left = left;
  }
}

const perServerAndMinute = 1.15;
/** A pool of two or four must be able to answer to something that happens. */
const leastPerMinute = 12;
const startPerServer = 5;
/** By a third, as a logarithm. */
const farWhenEmpty = 0.3;
