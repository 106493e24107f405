import type { AddressPoolResource, VirtualServiceResource } from '../api/index.ts';
import type { IpAddress } from '../base/index.ts';
import type { RealServerGroup } from './enter-real-servers.ts';
import type { RealServerRules } from './real-server-join.ts';
import { isSameList, isSameOptionalList } from './same-list.ts';
import type { VirtualServiceDraft } from './service-draft.ts';
import type { DirectorFacts } from './types.ts';

/**
 * What was made of each VirtualService last time. A weight edit among 10,000 real servers touches one VirtualService;
 * the others are recognised by the identity of everything that they depend on, and taken as they were, as the same
 * objects. Nothing outside can tell, except by the clock and by `===`: parsed resources are never changed in place.
 */
const drafts = new WeakMap<VirtualServiceResource, VirtualServiceDraft>();

/** The draft of last time if the new one says the same. */
export function recallDraft(
  resource: VirtualServiceResource,
  draft: VirtualServiceDraft | undefined,
): VirtualServiceDraft | undefined {
  const known = drafts.get(resource);
  // A draft follows from its resource, its addresses and its marks, and the latter two are in the keys.
  if (
    known !== undefined &&
    draft !== undefined &&
    isSameList(known.vips, draft.vips) &&
    isSameList(known.services.map(keyOf), draft.services.map(keyOf))
  ) {
    return known;
  }
  if (draft !== undefined) drafts.set(resource, draft);
  return draft;
}

const keyOf = ({ key }: { readonly key: string }): string => key;

interface Memory<Filled> {
  readonly filled: Filled;
  readonly rules: RealServerRules;
  readonly group: RealServerGroup;
}

/** Remembers what `fill` makes of a draft, its RealServers with their slices, and the rules. */
export class FillMemory<Filled> {
  readonly #memories = new WeakMap<VirtualServiceDraft, Memory<Filled>>();

  recall(
    draft: VirtualServiceDraft,
    group: RealServerGroup,
    rules: RealServerRules,
    fill: () => Filled,
  ): Filled {
    const memory = this.#memories.get(draft);
    if (
      memory?.rules === rules &&
      isSameList(memory.group.realServers, group.realServers) &&
      isSameOptionalList(memory.group.slices, group.slices)
    ) {
      return memory.filled;
    }
    const filled = fill();
    this.#memories.set(draft, { filled, rules, group });
    return filled;
  }
}

/** What `RealServerRules` follow from, beside the facts. */
interface RulesBasis {
  readonly addressPools: readonly AddressPoolResource[];
  /** `selectorAdmissions` */
  readonly admissions: readonly string[];
  readonly vips: readonly IpAddress[];
}

interface RulesMemory extends RulesBasis {
  readonly rules: RealServerRules;
}

const rulesMemories = new WeakMap<DirectorFacts, RulesMemory>();

/** Equal rules keep their identity, on which `FillMemory` rests. They stand for the facts as well. */
export function recallRules(
  facts: DirectorFacts,
  basis: RulesBasis,
  make: () => RealServerRules,
): RealServerRules {
  const memory = rulesMemories.get(facts);
  if (
    memory !== undefined &&
    isSameList(memory.addressPools, basis.addressPools) &&
    isSameList(memory.admissions, basis.admissions) &&
    isSameList(memory.vips, basis.vips)
  ) {
    return memory.rules;
  }
  const rules = make();
  rulesMemories.set(facts, { ...basis, rules });
  return rules;
}
