import { metricsOf } from '../api/index.ts';
import type { EndpointMetricsSpec } from '../api/index.ts';
import { objectRefOf } from '../api/index.ts';
import type { ReportTarget } from '../load/index.ts';
import type { DesiredState } from '../plan/index.ts';

const defaultPath = '/load';
const none: readonly ReportTarget[] = [];
const lists = new WeakMap<DesiredState['services'], readonly ReportTarget[]>();

/**
 * The real servers that report themselves to a weight policy (`metrics.source: Endpoint`), each address once for each
 * VirtualService. Those that drain get no weight and are not asked. The same list while the goal is the same.
 */
export function listReportTargets(desired: DesiredState | undefined): readonly ReportTarget[] {
  if (desired === undefined) return none;
  let list = lists.get(desired.services);
  if (list === undefined) lists.set(desired.services, (list = computeTargets(desired)));
  return list;
}

function computeTargets({ services, accepted }: DesiredState): readonly ReportTarget[] {
  const asked = new Map<string, EndpointMetricsSpec>();
  for (const resource of accepted.virtualServices) {
    const metrics = metricsOf(resource.spec.weightPolicy);
    if (metrics?.source !== 'Endpoint' || metrics.endpoint === undefined) continue;
    const { namespace = 'default', name } = objectRefOf(resource);
    asked.set(`${namespace}/${name}`, metrics.endpoint);
  }
  if (asked.size === 0) return none;
  const targets = new Map<string, ReportTarget>();
  for (const { owner, isForProbes, realServers } of services.values()) {
    const virtualService = `${owner.namespace ?? 'default'}/${owner.name}`;
    const endpoint = asked.get(virtualService);
    if (endpoint === undefined || isForProbes === true) continue;
    for (const { key, isDrained, isSorry } of realServers.values()) {
      if (isDrained || isSorry) continue;
      targets.set(`${virtualService} ${key.rip}`, {
        virtualService,
        address: key.rip,
        protocol: endpoint.protocol,
        port: endpoint.port,
        path: endpoint.path ?? defaultPath,
        intervalMs: endpoint.intervalSeconds * 1000,
      });
    }
  }
  return [...targets.values()];
}
