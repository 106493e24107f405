import type { WeightedRealServer } from './types.ts';

export interface BaseShares {
  /** The configured weights, relative to their mean. */
  readonly configured: readonly number[];
  /** The share to begin with and to fall back to, relative to the mean. */
  readonly prior: readonly number[];
  readonly origin: 'CpuLimits' | 'CpuRequests' | 'ConfiguredWeights' | 'Nothing';
  /** Cores that make a server full, by which its CPU use is divided; undefined: nothing comparable is known. */
  readonly capacities: readonly number[] | undefined;
}

/**
 * What is known of the servers before any load is seen. Somebody who gives servers different weights has said what they
 * are worth, and that is the prior. With equal weights, or where weights are a wish and not an opinion (`Policy`), the
 * CPU limits are, or the requests, if every server has one: of two kinds, or with holes, they could not be compared.
 *
 * CPU use is divided by limits or requests as well; without either by the prior, so that cores still tell how much work
 * a core does on each server.
 */
export function computeBaseShares(
  servers: readonly WeightedRealServer[],
  base: 'Prior' | 'Policy',
): BaseShares {
  const configured = toShares(servers.map((server) => server.baseWeight ?? defaultBaseWeight));
  const limits = allPositive(servers.map((server) => server.cpuLimitCores));
  const requests =
    limits === undefined ? allPositive(servers.map((server) => server.cpuRequestCores)) : undefined;
  const capacities = limits ?? requests;
  const isOpinion = base === 'Prior' && configured.some((share) => Math.abs(share - 1) > 1e-9);
  if (isOpinion || capacities === undefined) {
    const prior = base === 'Prior' ? configured : configured.map(() => 1);
    return { configured, prior, origin: base === 'Prior' ? 'ConfiguredWeights' : 'Nothing', capacities };
  }
  const origin = limits === undefined ? 'CpuRequests' : 'CpuLimits';
  return { configured, prior: toShares(capacities), origin, capacities };
}

export const defaultBaseWeight = 100;

export function toShares(values: readonly number[]): number[] {
  const mean = values.reduce((sum, value) => sum + value, 0) / Math.max(1, values.length);
  return values.map((value) => (mean > 0 ? value / mean : 1));
}

function allPositive(values: readonly (number | undefined)[]): readonly number[] | undefined {
  const known = values.filter((value) => value !== undefined && Number.isFinite(value) && value > 0);
  return values.length > 0 && known.length === values.length ? known.map(Number) : undefined;
}
