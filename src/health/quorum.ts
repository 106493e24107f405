/**
 * Quorum: how much of a service must be up for it to serve by its own servers. Counted in servers or in configured
 * weight, never in weights that follow load: a load-driven drop must not bring in the sorry server (as in keepalived).
 */
export interface QuorumPolicy {
  readonly countIn: 'Servers' | 'Weight';
  /** Whether minimum and hysteresis are percentages of all that there is. */
  readonly isPercent: boolean;
  readonly minimum: number;
  /** Up from `minimum + hysteresis`, down below `minimum - hysteresis`. */
  readonly hysteresis: number;
}

export interface QuorumMember {
  readonly isUp: boolean;
  readonly configuredWeight: number;
}

/** Without a policy of its own, a service serves while one server is up (keepalived's default of 1). */
export const defaultQuorum: QuorumPolicy = {
  countIn: 'Servers',
  isPercent: false,
  minimum: 1,
  hysteresis: 0,
};

/**
 * Whether the quorum is met. A service of which nothing is up never has it, whatever the hysteresis says.
 * @param wasMet the last answer; undefined before the first one, which goes by `minimum` alone.
 */
export function isQuorumMet(
  policy: QuorumPolicy,
  members: readonly QuorumMember[],
  wasMet: boolean | undefined,
): boolean {
  const up = amount(policy, members, ({ isUp }) => isUp);
  if (up <= 0) return false;
  const all = amount(policy, members, () => true);
  // A quorum above the whole could never be met: all that there is counts as enough.
  const whole = policy.isPercent ? 100 : all;
  const reached = policy.isPercent ? (100 * up) / all : up;
  const margin = wasMet === undefined ? 0 : wasMet ? -policy.hysteresis : policy.hysteresis;
  return reached >= Math.min(policy.minimum + margin, whole);
}

function amount(
  { countIn }: QuorumPolicy,
  members: readonly QuorumMember[],
  counts: (member: QuorumMember) => boolean,
): number {
  let sum = 0;
  for (const member of members)
    if (counts(member)) sum += countIn === 'Servers' ? 1 : member.configuredWeight;
  return sum;
}

/**
 * Whether so few servers are up that health is ignored for the service: with most of them gone, the rest would be
 * overrun, and the checks are as likely to be wrong as the servers. 0 percent: never.
 */
export function isPanicking(thresholdPercent: number, up: number, total: number): boolean {
  return total > 0 && 100 * up < thresholdPercent * total;
}
