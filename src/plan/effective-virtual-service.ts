import { readVirtualServiceStatus } from '../api/index.ts';
import type { VirtualServiceResource } from '../api/index.ts';

/**
 * What a director in a cluster serves of a VirtualService: the addresses and ports that the controller has accepted, and
 * all the rest as the newest spec says it. So a new scheduler counts at once, while a new port waits until it is known
 * that nobody else has it. Undefined: nothing is accepted yet.
 *
 * The accepted addresses are fixed ones, and the plan judges them like those that a person wrote: a status that lies
 * gives nobody what no pool admits. The same object has the same answer, and an answer is its own answer.
 */
export function effectiveVirtualService(
  resource: VirtualServiceResource,
): VirtualServiceResource | undefined {
  const known = answers.get(resource);
  if (known !== undefined) return known.effective;
  const effective = substitute(resource);
  answers.set(resource, { effective });
  if (effective !== undefined) answers.set(effective, { effective });
  return effective;
}

const answers = new WeakMap<
  VirtualServiceResource,
  { readonly effective: VirtualServiceResource | undefined }
>();

function substitute(resource: VirtualServiceResource): VirtualServiceResource | undefined {
  const { addresses, ports } = readVirtualServiceStatus(resource);
  if (addresses.length === 0 || ports.length === 0) return undefined;
  const { addressFamilies: _chosen, ...spec } = resource.spec;
  return {
    ...resource,
    spec: { ...spec, addresses: addresses.map(({ ip }) => ({ ip })), ports },
    // As much of it as makes the same answer when it is read back from a disk.
    status: { addresses, ports },
  };
}

export interface EffectiveList {
  readonly virtualServices: readonly VirtualServiceResource[];
  /** Not accepted yet: `Resources.pendingVirtualServices`. */
  readonly pendingVirtualServices: readonly VirtualServiceResource[];
}

/**
 * `effectiveVirtualService` of a whole store, list after list. Statuses are written far more often than anything in
 * them changes that a director serves by; what reads the same stays the same object here, and the plan recognises it.
 */
export class EffectiveVirtualServices {
  #last = new Map<string, Effective>();
  #of: { readonly list: readonly VirtualServiceResource[]; readonly answer: EffectiveList } | undefined;

  take(list: readonly VirtualServiceResource[]): EffectiveList {
    if (this.#of?.list === list) return this.#of.answer;
    const next = new Map<string, Effective>();
    const virtualServices: VirtualServiceResource[] = [];
    const pendingVirtualServices: VirtualServiceResource[] = [];
    for (const resource of list) {
      const effective = effectiveVirtualService(resource);
      if (effective === undefined) {
        pendingVirtualServices.push(resource);
        continue;
      }
      const name = `${resource.metadata.namespace}/${resource.metadata.name}`;
      const before = this.#last.get(name);
      const kept = before?.effective === effective ? before : sameOr(before, effective);
      if (kept.effective !== effective) answers.set(resource, { effective: kept.effective });
      next.set(name, kept);
      virtualServices.push(kept.effective);
    }
    this.#last = next;
    const answer = { virtualServices, pendingVirtualServices };
    this.#of = { list, answer };
    return answer;
  }
}

interface Effective {
  readonly text: string;
  readonly effective: VirtualServiceResource;
}

function sameOr(before: Effective | undefined, effective: VirtualServiceResource): Effective {
  const text = JSON.stringify(effective);
  return before?.text === text ? before : { text, effective };
}
