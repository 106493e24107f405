import { formatObjectRef } from '../api/index.ts';
import type { FailureReason } from '../health/pure.ts';
import type { HealthMemory, ServerHealth, ServiceHealth } from './health-types.ts';
import type { DesiredRealServer } from './types.ts';

/** What is wrong with a real server of a service that should take clients. */
export interface FailingServer {
  /** `formatVirtualServiceKey` */
  readonly service: string;
  /** `formatRealServerKey` */
  readonly realServer: string;
  /** `RealServer namespace/name`; of a sorry server, its VirtualService. */
  readonly object: string;
  /** `NotAskedYet`: no probe has ended. `Flapping`: it passes, and has failed too often to be let in yet. */
  readonly reason: FailureReason | 'NotAskedYet' | 'Flapping';
  /** Of the clock of the verdicts. */
  readonly sinceMs: number;
}

/** How a service stands that is not whole. */
export type ServiceTrouble =
  /** Some are down, and the others suffice. */
  | 'Degraded'
  | 'QuorumLost'
  /** Its quorum is lost, and the sorry server answers. */
  | 'SorryServer'
  /** So few are up that health is ignored. */
  | 'HealthIgnored'
  | 'NoneUp';

export interface TroubledService {
  readonly service: string;
  /** `VirtualService namespace/name` */
  readonly object: string;
  readonly trouble: ServiceTrouble;
  readonly up: number;
  readonly total: number;
}

/** Addresses of a RealServer that fail here. */
export interface TroubledRealServer {
  readonly object: string;
  readonly failing: number;
  readonly total: number;
}

/** Health as exceptions: what is whole is not told. */
export interface HealthSummary {
  readonly failing: readonly FailingServer[];
  readonly services: readonly TroubledService[];
  readonly realServers: readonly TroubledRealServer[];
  /** Real servers that are checked. */
  readonly checked: number;
}

export function describeHealth({ services }: HealthMemory): HealthSummary {
  const failing: FailingServer[] = [];
  const troubled: TroubledService[] = [];
  const addresses = new Map<string, { readonly all: Set<string>; readonly down: Set<string> }>();
  let checked = 0;
  for (const [service, health] of services) {
    for (const [key, server] of health.base.realServers) {
      const known = health.servers.get(key);
      if (server.check === undefined || known === undefined) continue;
      checked++;
      if (!isWanted(server)) continue;
      const object = formatObjectRef(server.owner);
      if (!server.isSorry) noteAddress(addresses, object, server.key.rip, known.isUp);
      if (known.isUp) continue;
      failing.push({ service, realServer: key, object, ...reasonOf(known) });
    }
    const trouble = troubleOf(health);
    if (trouble === undefined) continue;
    troubled.push({ service, object: formatObjectRef(health.base.owner), trouble, ...health.counts });
  }
  return {
    failing,
    services: troubled,
    realServers: [...addresses].flatMap(([object, { all, down }]) =>
      down.size === 0 ? [] : [{ object, failing: down.size, total: all.size }],
    ),
    checked,
  };
}

/** One that is on its way out, or that a person gave no weight, may be down and nobody minds. */
function isWanted({ config, isSorry }: DesiredRealServer): boolean {
  return isSorry || config.weight > 0;
}

function noteAddress(
  addresses: Map<string, { readonly all: Set<string>; readonly down: Set<string> }>,
  object: string,
  rip: string,
  isUp: boolean,
): void {
  let sets = addresses.get(object);
  if (sets === undefined) addresses.set(object, (sets = { all: new Set(), down: new Set() }));
  sets.all.add(rip);
  if (!isUp) sets.down.add(rip);
}

function reasonOf({ verdict, heldUntilMs, flaps }: ServerHealth): Pick<FailingServer, 'reason' | 'sinceMs'> {
  const sinceMs = flaps.fallsMs.at(-1) ?? verdict?.sinceMs ?? 0;
  if (heldUntilMs !== undefined) return { reason: 'Flapping', sinceMs };
  return { reason: verdict?.reason ?? 'NotAskedYet', sinceMs };
}

function troubleOf(health: ServiceHealth): ServiceTrouble | undefined {
  const { up, total } = health.counts;
  if (health.isPanicking) return 'HealthIgnored';
  if (health.isSorryServing) return 'SorryServer';
  if (total > 0 && up === 0) return 'NoneUp';
  if (total > 0 && !health.isQuorumMet) return 'QuorumLost';
  return up < total ? 'Degraded' : undefined;
}
