import { objectRefOf } from '../api/index.ts';
import type { RealServerResource, RealServerSliceResource, VirtualServiceResource } from '../api/index.ts';
import type { RealServerGroup } from './enter-real-servers.ts';
import { RefusalList } from './refusals.ts';
import type { VirtualServiceDraft } from './service-draft.ts';
import type { DesiredStateInput, Refusal } from './types.ts';

export interface RealServerGroups {
  readonly groups: ReadonlyMap<VirtualServiceDraft, RealServerGroup>;
  /** About those that stand behind no VirtualService. */
  readonly strays: readonly Refusal[];
}

/**
 * RealServers, with their slices, by the VirtualService that they serve. A slice whose RealServer or VirtualService is
 * not here is left alone: its kinds are watched one by one, and what is missing may be on its way.
 */
export function groupRealServers(
  input: DesiredStateInput,
  drafts: ReadonlyMap<string, VirtualServiceDraft>,
): RealServerGroups {
  const strays = new RefusalList();
  let judgeStray: ((resource: RealServerResource) => void) | undefined;
  const groups = new Map<VirtualServiceDraft, { realServers: RealServerResource[]; slices: Slices }>();
  const slicesOf = indexSlices(input.realServerSlices);
  const draftOf = new ByName<VirtualServiceDraft>();
  for (const draft of drafts.values()) {
    const { namespace, name } = draft.resource.metadata;
    draftOf.set(namespace, name, draft);
  }
  for (const resource of input.realServers) {
    const { namespace, name } = resource.metadata;
    const draft = draftOf.get(namespace, resource.spec.virtualServiceRef.name);
    if (draft === undefined) {
      judgeStray ??= strayJudge(input, strays);
      judgeStray(resource);
      continue;
    }
    let group = groups.get(draft);
    if (group === undefined) groups.set(draft, (group = { realServers: [], slices: slicesOf && [] }));
    group.realServers.push(resource);
    for (const slice of slicesOf?.get(namespace, name) ?? noSlices) {
      // One of before the RealServer moved to another VirtualService: the controller is about to write it anew.
      if (slice.spec.virtualServiceName === draft.resource.metadata.name) group.slices?.push(slice);
    }
  }
  return { groups, strays: strays.list };
}

type Slices = RealServerSliceResource[] | undefined;
const noSlices: readonly RealServerSliceResource[] = [];

/** By namespace and name: in two steps, as text that is put together has to be hashed anew every time. */
class ByName<Value> {
  readonly #namespaces = new Map<string, Map<string, Value>>();

  get(namespace: string, name: string): Value | undefined {
    return this.#namespaces.get(namespace)?.get(name);
  }

  set(namespace: string, name: string, value: Value): void {
    let names = this.#namespaces.get(namespace);
    if (names === undefined) this.#namespaces.set(namespace, (names = new Map<string, Value>()));
    names.set(name, value);
  }
}

/** By their RealServer. */
function indexSlices(
  slices: readonly RealServerSliceResource[] | undefined,
): ByName<RealServerSliceResource[]> | undefined {
  if (slices === undefined) return undefined;
  const index = new ByName<RealServerSliceResource[]>();
  for (const slice of slices) {
    const { namespace } = slice.metadata;
    const { realServerName } = slice.spec;
    const list = index.get(namespace, realServerName);
    if (list === undefined) index.set(namespace, realServerName, [slice]);
    else list.push(slice);
  }
  return index;
}

/** Says why a RealServer has no VirtualService, unless it only has to wait for one. */
function strayJudge(
  { virtualServices, pendingVirtualServices = [] }: DesiredStateInput,
  strays: RefusalList,
): (resource: RealServerResource) => void {
  const keyOf = ({ metadata }: VirtualServiceResource) => `${metadata.namespace}/${metadata.name}`;
  const pending = new Set(pendingVirtualServices.map(keyOf));
  const known = new Set(virtualServices.map(keyOf));
  return (resource) => {
    const key = `${resource.metadata.namespace}/${resource.spec.virtualServiceRef.name}`;
    if (!pending.has(key)) strays.refuse(missingVirtualService(resource, known.has(key)));
  };
}

function missingVirtualService(resource: RealServerResource, exists: boolean) {
  const { name } = resource.spec.virtualServiceRef;
  return {
    object: objectRefOf(resource),
    path: ['spec', 'virtualServiceRef', 'name'],
    reason: exists ? 'VirtualServiceNotAccepted' : 'VirtualServiceNotFound',
    message: exists
      ? `VirtualService ${name} is refused, so its real servers are not served; see its own message.`
      : `There is no VirtualService ${name} in namespace ${resource.metadata.namespace}; make it, or correct the name.`,
  };
}
