/**
 * Quorum: how much of a service must be up for it to serve by its own servers. Counted in servers or in configured
 * weight, never in weights that follow load: a load-driven drop must not bring in the sorry server (as in keepalived).
 */
export interface QuorumPolicy {
  /** Servers, percent of servers, or configured weight. */
  readonly unit: 'Servers' | 'Percent' | 'Weight';
  readonly minimum: number;
  /** In the same unit. Up from `minimum + hysteresis`, down below `minimum - hysteresis`. */
  readonly hysteresis: number;
}

export interface QuorumMember {
  readonly isUp: boolean;
  readonly configuredWeight: number;
}

/** Without a policy of its own, a service serves while one server is up (keepalived's default of 1). */
export const defaultQuorum: QuorumPolicy = { unit: 'Servers', minimum: 1, hysteresis: 0 };

/**
 * Whether the quorum is met. A service of which nothing is up never has it, whatever the hysteresis says.
 * @param wasMet the last answer; undefined before the first one, which goes by `minimum` alone.
 */
export function isQuorumMet(
  policy: QuorumPolicy,
  members: readonly QuorumMember[],
  wasMet: boolean | undefined,
): boolean {
  const up = amount(policy.unit, members);
  if (up <= 0) return false;
  // A quorum above the whole could never be met: all that there is counts as enough.
  const whole = amount(
    policy.unit,
    members.map((member) => ({ ...member, isUp: true })),
  );
  const margin = wasMet === undefined ? 0 : wasMet ? -policy.hysteresis : policy.hysteresis;
  return up >= Math.min(policy.minimum + margin, whole);
}

function amount(unit: QuorumPolicy['unit'], members: readonly QuorumMember[]): number {
  const up = members.filter(({ isUp }) => isUp);
  switch (unit) {
    case 'Servers':
      return up.length;
    case 'Percent':
      return members.length === 0 ? 0 : (100 * up.length) / members.length;
    case 'Weight':
      return up.reduce((sum, { configuredWeight }) => sum + configuredWeight, 0);
  }
}

/**
 * Whether so few servers are up that health is ignored for the service: with most of them gone, the rest would be
 * overrun, and the checks are as likely to be wrong as the servers. 0 percent: never.
 */
export function isPanicking(thresholdPercent: number, up: number, total: number): boolean {
  return total > 0 && 100 * up < thresholdPercent * total;
}
