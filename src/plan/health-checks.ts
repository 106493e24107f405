import type { Beginning, Check } from '../health/pure.ts';
import type { IpvsTable, ObservedVirtualService } from '../ipvs/pure.ts';
import { formatEntry } from './absence.ts';
import type { ServerCheck } from './health-types.ts';
import type { DesiredRealServer, DesiredState, DesiredVirtualService } from './types.ts';

/** A real server that is checked, and the name of its check. */
export interface CheckedServer {
  /** `formatEntry` of the two keys. */
  readonly entry: string;
  readonly serviceKey: string;
  readonly serverKey: string;
  readonly check: ServerCheck;
  readonly server: DesiredRealServer;
}

const checkedServers = new WeakMap<DesiredVirtualService, readonly CheckedServer[]>();

/** Those of a service that are checked. Such as are drained are, too: they may be wanted again at once. */
function checkedOf(key: string, service: DesiredVirtualService): readonly CheckedServer[] {
  let list = checkedServers.get(service);
  if (list === undefined) {
    list = [...service.realServers].flatMap(([serverKey, server]) =>
      server.check === undefined
        ? []
        : [
            {
              entry: formatEntry(key, serverKey),
              serviceKey: key,
              serverKey,
              check: server.check,
              server,
            },
          ],
    );
    checkedServers.set(service, list);
  }
  return list;
}

export function listCheckedServers(services: DesiredState['services']): readonly CheckedServer[] {
  const list: CheckedServer[] = [];
  for (const [key, service] of services) for (const checked of checkedOf(key, service)) list.push(checked);
  return list;
}

/** Whether two lists ask the same of the same servers, whatever else changed about these. */
export function isSameChecks(a: readonly CheckedServer[], b: readonly CheckedServer[]): boolean {
  return (
    a.length === b.length &&
    a.every(({ entry, check }, index) => entry === b[index]?.entry && check === b[index].check)
  );
}

/**
 * The checks that should run. A server that is in the kernel keeps what the kernel says of it until probes say otherwise:
 * a director that was started again, or that is told to check from now on, neither empties a table nor lets a dead
 * server in again.
 * @param isFirst it is the first look of this process: what our services lack then was taken out by the one before.
 */
export function describeChecks(
  checked: readonly CheckedServer[],
  table: IpvsTable,
  isFirst: boolean,
): readonly Check[] {
  return checked.map((one) => ({
    id: one.entry,
    probe: one.check.probe,
    policy: one.check.policy,
    beginning: beginningOf(one, table.get(one.serviceKey), isFirst),
  }));
}

function beginningOf(
  { serverKey, check, server }: CheckedServer,
  service: ObservedVirtualService | undefined,
  isFirst: boolean,
): Beginning {
  const there = service?.realServers.get(serverKey);
  if (there === undefined) {
    const wasTakenOut = isFirst && service !== undefined;
    return { kind: 'new', initialState: wasTakenOut ? 'Down' : check.initialState };
  }
  const { weight } = there.config;
  // At weight 0 by wish, the kernel tells nothing of its health.
  return weight === 0 && server.config.weight === 0
    ? { kind: 'new', initialState: check.initialState }
    : { kind: 'kept', isUp: weight > 0 };
}
