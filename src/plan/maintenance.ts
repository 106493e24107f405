import type { IpvsTable, ObservedRealServer, ObservedVirtualService } from '../ipvs/pure.ts';
import { formatEntry } from './absence.ts';
import { groundOf, rememberGround } from './ground.ts';
import type { DesiredRealServer, DesiredState, DesiredVirtualService } from './types.ts';

const quiescedGoals = new WeakMap<DesiredState, DesiredState>();
const quiescedServices = new WeakMap<DesiredVirtualService, DesiredVirtualService>();

/**
 * The goal of a director that takes no new clients: services, addresses and packet rules stay, every real server has
 * weight 0, and none is removed for it. What leaves anyway goes on leaving, and nobody is kept as a last resort: whoever
 * looks for a server here is to look on another director. Our own probes keep their ways.
 *
 * The same goal gives the same answer, and so does each service.
 */
export function quiesceDirector(desired: DesiredState): DesiredState {
  let goal = quiescedGoals.get(desired);
  if (goal === undefined) {
    const services = new Map([...desired.services].map(([key, service]) => [key, quiesceService(service)]));
    const ground = groundOf(desired);
    if (ground !== undefined) rememberGround(services, ground);
    goal = { ...desired, services };
    quiescedGoals.set(desired, goal);
  }
  return goal;
}

function quiesceService(service: DesiredVirtualService): DesiredVirtualService {
  if (service.isForProbes === true) return service;
  let goal = quiescedServices.get(service);
  if (goal === undefined) {
    const realServers = new Map(
      [...service.realServers].map(([key, server]) => [key, quiesceServer(server)]),
    );
    goal = { ...service, realServers };
    quiescedServices.set(service, goal);
  }
  return goal;
}

function quiesceServer(server: DesiredRealServer): DesiredRealServer {
  if (server.config.weight === 0 && !server.isLastResort) return server;
  const config = { ...server.config, weight: 0 };
  return server.isDrained
    ? { ...server, config, isLastResort: false }
    : { ...server, config, isInMaintenance: true };
}

/**
 * The table as it would be without the maintenance, for who reads from it which servers are well: one that is at weight 0
 * and was not leaving before has the weight that the objects give it.
 *
 * @param desired as the objects want it
 * @param isLeaving of entries by `formatEntry`: whether the ledger says that it drains, for a reason of its own
 */
export function tableBesideMaintenance(
  table: IpvsTable,
  desired: DesiredState,
  isLeaving: (entry: string) => boolean,
): IpvsTable {
  return new Map(
    [...table].map(([key, service]) => {
      const goal = desired.services.get(key);
      return [key, goal === undefined ? service : withWeights(key, service, goal, isLeaving)];
    }),
  );
}

function withWeights(
  key: string,
  service: ObservedVirtualService,
  goal: DesiredVirtualService,
  isLeaving: (entry: string) => boolean,
): ObservedVirtualService {
  const realServers = new Map<string, ObservedRealServer>();
  for (const [serverKey, there] of service.realServers) {
    const weight = goal.realServers.get(serverKey)?.config.weight ?? 0;
    const isHeldBack = there.config.weight === 0 && weight > 0 && !isLeaving(formatEntry(key, serverKey));
    realServers.set(serverKey, isHeldBack ? { ...there, config: { ...there.config, weight } } : there);
  }
  return { ...service, realServers };
}
