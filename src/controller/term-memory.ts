import { readAddressPoolStatus } from '../api/index.ts';
import type { VirtualServiceResource } from '../api/index.ts';
import type { ObjectKey } from '../kube/index.ts';
import { allocationsFromStatuses, effectiveVirtualService } from '../plan/index.ts';
import type { Allocations } from '../plan/index.ts';
import type { ClusterView } from './cluster-view.ts';
import type { Grant } from './grant.ts';
import { horizonLastsMs } from './quarantine.ts';
import type { Horizon, QuarantinedVip } from './quarantine.ts';
import { storedStatus } from './stored-status.ts';

/**
 * What a leader carries from decision to decision. It is rebuilt once, when the term begins, from what is stored; from
 * then on it is believed and the statuses are not: they are what we write, and whoever else writes them is overwritten.
 */
export interface TermMemory {
  readonly allocations: Allocations;
  readonly records: ReadonlyMap<ObjectKey, VirtualServiceRecord>;
  /** By address. */
  readonly quarantine: ReadonlyMap<string, QuarantinedVip>;
  /** Undefined once it is behind us. */
  readonly horizon: Horizon | undefined;
}

/** What is remembered of one VirtualService. */
export interface VirtualServiceRecord {
  readonly uid: string;
  readonly grant: Grant | undefined;
  /** Since which version the API server has the present spec together with the present grant; undefined: not yet. */
  readonly present: PresentForm | undefined;
}

export interface PresentForm {
  readonly generation: number | undefined;
  readonly grant: Grant;
  readonly version: string;
}

/** @param nowMs wall clock */
export function beginTerm(view: ClusterView, nowMs: number): TermMemory {
  const records = new Map<ObjectKey, VirtualServiceRecord>();
  const held = new Set<string>();
  for (const { entry } of view.virtualServices) {
    const { grant } = storedStatus(entry.object);
    for (const { ip } of grant?.addresses ?? []) held.add(ip);
    records.set(entry.key, { uid: entry.uid, grant, present: undefined });
  }
  const quarantine = new Map<string, QuarantinedVip>();
  for (const { entry } of view.addressPools) {
    for (const { ip, since, resourceVersion } of readAddressPoolStatus(entry.object).quarantined) {
      if (held.has(ip)) continue;
      const version = resourceVersion ?? view.version;
      quarantine.set(ip, { ip, since, formerOwner: undefined, version });
    }
  }
  return {
    // Statuses of others, so the pools say which addresses can be believed.
    allocations: allocationsFromStatuses(
      view.virtualServices.map(({ entry }) => entry.object),
      view.addressPools.map(({ entry }) => entry.object),
    ),
    records,
    quarantine,
    horizon: { version: view.version, untilMs: nowMs + horizonLastsMs },
  };
}

/** A VirtualService in the form that was granted: its spec with the addresses and ports that it has. */
export function grantedForm(
  form: VirtualServiceResource,
  grant: Grant | undefined,
): VirtualServiceResource | undefined {
  if (grant === undefined) return undefined;
  const last = granted.get(form);
  if (last?.grant === grant) return last.granted;
  const { addresses, ports } = grant;
  const next = effectiveVirtualService({ ...form, status: { addresses, ports } });
  granted.set(form, { grant, granted: next });
  return next;
}

/** The same object while neither changes: `plan` recognises it. */
const granted = new WeakMap<
  VirtualServiceResource,
  { readonly grant: Grant; readonly granted: VirtualServiceResource | undefined }
>();
