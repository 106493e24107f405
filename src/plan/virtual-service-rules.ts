import type { IpAddress } from '../base/index.ts';
import { formatCidr, ipFamily } from '../base/index.ts';
import { objectRefOf } from '../api/index.ts';
import type { FieldPath, VirtualServiceResource } from '../api/index.ts';
import { checkMessage, checkProblem } from './server-check.ts';
import type { DirectorFacts, Refusal } from './types.ts';

type Finding = Omit<Refusal, 'severity'>;

/** What can be wrong with a VirtualService on this director before anything is allocated; the first finding or none. */
export function refuseVirtualService(
  resource: VirtualServiceResource,
  facts: DirectorFacts,
): Finding | undefined {
  const { scheduler, healthCheck, sorryServer } = resource.spec;
  const checks = [
    [['spec', 'healthCheck'], healthCheck],
    [['spec', 'sorryServer', 'healthCheck'], sorryServer?.healthCheck],
  ] as const;
  for (const [at, check] of checks) {
    const problem = check === undefined ? undefined : checkProblem(check, facts.cluster === undefined);
    if (problem === undefined) continue;
    const path = [...at, ...problem.path];
    return finding(resource, path, 'HealthCheckInvalid', checkMessage(path, problem.message));
  }
  if (!facts.unavailableSchedulers.includes(scheduler)) return undefined;
  return finding(
    resource,
    ['spec', 'scheduler'],
    'SchedulerUnavailable',
    `This kernel has no scheduler ${scheduler}; load the module ip_vs_${scheduler} or choose another scheduler.`,
  );
}

/**
 * Source ranges against the VIPs. A family with VIPs but without a range would be open to nobody, or, read the other
 * way, to everybody; either would surprise, so it is refused.
 */
export function refuseSourceRanges(
  resource: VirtualServiceResource,
  vips: readonly IpAddress[],
): Finding | undefined {
  const { sourceRanges } = resource.spec;
  if (sourceRanges.length === 0) return undefined;
  const stray = sourceRanges.findIndex(
    ({ address }) => !vips.some((vip) => ipFamily(vip) === ipFamily(address)),
  );
  const strayRange = sourceRanges[stray];
  if (strayRange !== undefined) {
    const family = ipFamily(strayRange.address);
    return finding(
      resource,
      ['spec', 'sourceRanges', stray],
      'SourceRangeFamilyMismatch',
      `${formatCidr(strayRange)} is ${family}, and this VirtualService has no ${family} address; remove one or add the other.`,
    );
  }
  const open = vips.find((vip) => !sourceRanges.some(({ address }) => ipFamily(address) === ipFamily(vip)));
  return open === undefined
    ? undefined
    : finding(
        resource,
        ['spec', 'sourceRanges'],
        'SourceRangeFamilyMismatch',
        `No source range is ${ipFamily(open)}, so nobody could connect to ${open}; add one (::/0 or 0.0.0.0/0 for everybody).`,
      );
}

function finding(
  resource: VirtualServiceResource,
  path: FieldPath,
  reason: string,
  message: string,
): Finding {
  return { object: objectRefOf(resource), path, reason, message };
}
