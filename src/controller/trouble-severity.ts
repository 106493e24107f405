import type { DirectorTroubledService } from '../api/index.ts';

/** From the least to the worst for clients. Words that a later director may know come before all. */
const severities = ['Degraded', 'HealthIgnored', 'QuorumLost', 'SorryServer', 'NoneUp'];

export function severityOf({ reason }: DirectorTroubledService): number {
  return severities.indexOf(reason);
}

/** The worst of several states of one VirtualService on one director. */
export function worstOf(
  a: DirectorTroubledService | undefined,
  b: DirectorTroubledService,
): DirectorTroubledService {
  return a === undefined || severityOf(b) > severityOf(a) ? b : a;
}
