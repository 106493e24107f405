import { readVirtualServiceStatus } from '../api/index.ts';
import type { VirtualServiceResource, VirtualServiceStatus } from '../api/index.ts';
import { readGrant } from './grant.ts';
import type { Grant } from './grant.ts';

/** The stored status of a VirtualService. It is looked at in every decision, and read once. */
export interface StoredStatus {
  readonly status: VirtualServiceStatus;
  /** What it grants. */
  readonly grant: Grant | undefined;
  /** Generation of which it says that every director has it; undefined: of none. */
  readonly programmedGeneration: number | undefined;
}

export function storedStatus(resource: VirtualServiceResource): StoredStatus {
  const last = known.get(resource);
  if (last !== undefined) return last;
  const status = readVirtualServiceStatus(resource);
  const programmed = status.conditions.find(({ type }) => type === 'Programmed');
  const read = {
    status,
    grant: readGrant(status),
    programmedGeneration: programmed?.status === 'True' ? programmed.observedGeneration : undefined,
  };
  known.set(resource, read);
  return read;
}

const known = new WeakMap<VirtualServiceResource, StoredStatus>();
