import type { ServiceTrouble, TroubledService } from '../plan/index.ts';

/** From the least to the worst for clients. */
const ranks: Readonly<Record<ServiceTrouble, number>> = {
  Degraded: 0,
  HealthIgnored: 1,
  QuorumLost: 2,
  SorryServer: 3,
  NoneUp: 4,
};

export function isWorse(a: TroubledService, b: TroubledService): boolean {
  return ranks[a.trouble] > ranks[b.trouble];
}

/** What a person should know of a service that is not whole. */
export function describeTrouble(
  troubled: TroubledService | undefined,
): { readonly reason: ServiceTrouble; readonly message: string } | undefined {
  if (troubled === undefined) return undefined;
  const { trouble, up, total, service } = troubled;
  return {
    reason: trouble,
    message: `${service}: ${up} of ${total} real servers are up; ${sequels[trouble]}.`,
  };
}

const sequels: Readonly<Record<ServiceTrouble, string>> = {
  Degraded: 'they serve all clients',
  HealthIgnored: 'that is below panicThresholdPercent, so all of them get connections',
  QuorumLost: 'that is below the quorum, and they go on serving',
  SorryServer: 'that is below the quorum, and the sorry server answers',
  NoneUp: 'nobody answers',
};
