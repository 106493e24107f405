import type { AddressPoolResource, RealServerResource, VirtualServiceResource } from '../api/index.ts';
import type { IpAddress } from '../base/index.ts';
import type { RealServerRules } from './real-server-join.ts';
import type { VirtualServiceDraft } from './service-draft.ts';
import type { DesiredRealServer, DirectorFacts, Refusal } from './types.ts';

/**
 * What a VirtualService was filled with last time. A weight edit among 10,000 real servers touches one VirtualService;
 * the others are recognised by the identity of everything that their filling depends on, and taken as they were.
 * Nothing outside can tell, except by the clock: parsed resources are never changed in place.
 */
export interface Filling {
  /** In the order of the services of the draft. */
  readonly realServers: readonly Map<string, DesiredRealServer>[];
  readonly served: readonly RealServerResource[];
  readonly refusals: readonly Refusal[];
}

interface Memory {
  readonly filling: Filling;
  readonly rules: RealServerRules;
  readonly services: string;
  readonly group: readonly RealServerResource[];
}

const memories = new WeakMap<VirtualServiceResource, Memory>();

/** The filling of last time if nothing that it depends on has moved, else a new one. */
export function recallFilling(
  draft: VirtualServiceDraft,
  group: readonly RealServerResource[],
  rules: RealServerRules,
  fill: () => Filling,
): Filling {
  const services = draft.services.map(({ key }) => key).join('\n');
  const memory = memories.get(draft.resource);
  if (memory?.rules === rules && memory.services === services && isSameList(memory.group, group)) {
    return memory.filling;
  }
  const filling = fill();
  memories.set(draft.resource, { filling, rules, services, group });
  return filling;
}

interface RulesMemory {
  readonly addressPools: readonly AddressPoolResource[];
  readonly vips: readonly IpAddress[];
  readonly rules: RealServerRules;
}

const rulesMemories = new WeakMap<DirectorFacts, RulesMemory>();

/** Equal rules keep their identity, on which `recallFilling` rests. */
export function recallRules(
  facts: DirectorFacts,
  addressPools: readonly AddressPoolResource[],
  vips: readonly IpAddress[],
  make: () => RealServerRules,
): RealServerRules {
  const memory = rulesMemories.get(facts);
  if (
    memory !== undefined &&
    isSameList(memory.addressPools, addressPools) &&
    isSameList(memory.vips, vips)
  ) {
    return memory.rules;
  }
  const rules = make();
  rulesMemories.set(facts, { addressPools, vips, rules });
  return rules;
}

function isSameList<Element>(a: readonly Element[], b: readonly Element[]): boolean {
  return a.length === b.length && a.every((element, index) => element === b[index]);
}
