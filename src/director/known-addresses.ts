import type { VirtualServiceResource } from '../api/index.ts';

interface Known {
  readonly uid: string | undefined;
  readonly status: NonNullable<VirtualServiceResource['status']>;
  /** The last object whose status was gone, and what was made of it. */
  bare?: { readonly of: VirtualServiceResource; readonly mended: VirtualServiceResource };
}

/**
 * The addresses and ports that were accepted for each VirtualService. A backup that is restored, or a tool that replaces
 * whole objects, loses statuses; the controller writes them anew, and until then an object that was served goes on with
 * what it had. One that was made anew has another uid, and waits like any new one.
 */
export class KnownAddresses {
  #known = new Map<string, Known>();

  constructor(remembered: readonly VirtualServiceResource[]) {
    this.take(remembered);
  }

  /** The list with lost statuses put back. Objects that are gone are forgotten. */
  take(list: readonly VirtualServiceResource[]): readonly VirtualServiceResource[] {
    const next = new Map<string, Known>();
    const mended = list.map((resource) => {
      const { namespace, name, uid } = resource.metadata;
      const key = `${namespace}/${name}`;
      const known = this.#known.get(key);
      if (resource.status !== undefined) {
        next.set(key, known?.status === resource.status ? known : { uid, status: resource.status });
        return resource;
      }
      if (known === undefined || known.uid !== uid) return resource;
      next.set(key, known);
      if (known.bare?.of !== resource) {
        known.bare = { of: resource, mended: { ...resource, status: known.status } };
      }
      return known.bare.mended;
    });
    this.#known = next;
    return mended;
  }
}
