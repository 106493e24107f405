import type { Member } from './member.ts';
import { isWorthWriting, wholeWeight } from './whole-weights.ts';

/**
 * Which of the weights that moved are written now. Each write is an object in the API server, a netlink message on
 * every director and, under wrr, a return to the first server, so they are rationed: 1.05 a minute for each server in
 * the long run. What a move is worth goes by how far it is and by how large the server is; the fewer writes are left, the
 * more a move must be worth, and the worthiest come first.
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
    const moved: [worth: number, member: Member][] = [];
    const mean = members.reduce((sum, { trace }) => sum + trace.exactWeight, 0) / members.length;
    for (const member of members) {
      const { exactWeight } = member.trace;
      const known = member.advised ?? member.server.currentWeight;
      member.advised = known ?? wholeWeight(exactWeight);
      if (known === undefined || !isWanted(member, known)) continue;
      const [low, high] = [known, wholeWeight(exactWeight)].toSorted((a, b) => a - b);
      moved.push([(Math.log((high ?? 1) / Math.max(1, low ?? 1)) * (high ?? 1)) / mean, member]);
    }
    moved.sort(([a], [b]) => b - a);
    for (const [worth, member] of moved) {
      if (left < 1 || worth < worthWhenEmpty * (1 - left / full)) break;
      left--;
      member.advised = wholeWeight(member.trace.exactWeight);
    }
    this.#left = left;
  }
}

/**
 * Small moves wait for larger ones, which always come while weights follow something. What has gone all the way back to the
 * base does not move any more, so its last step is taken, however small.
 */
function isWanted({ trace }: Member, known: number): boolean {
  const { exactWeight, fade, level, prior, wish } = trace;
  const isHome = fade === 1 && Math.abs(level - prior * wish) < 1e-9;
  return isHome ? wholeWeight(exactWeight) !== known : isWorthWriting(exactWeight, known);
}

const perServerAndMinute = 1.05;
/** A pool of two or four must be able to answer to something that happens. */
const leastPerMinute = 12;
const startPerServer = 7;
/** As much as a server of mean size that moves by a third. */
const worthWhenEmpty = 0.3;
