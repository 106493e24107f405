import { readVirtualServiceStatus } from '../api/index.ts';
import type { VirtualServiceResource } from '../api/index.ts';
import type { IpAddress } from '../base/index.ts';
import { objectKey } from '../kube/index.ts';
import type { KubeObject, MalformedObject, ObjectKey, ReadableStore } from '../kube/index.ts';

/**
 * Objects of one kind that the API server takes and our parser does not, as they came. A store keeps no more of them than
 * the complaint, and two things have to be known: what to write a status for, and which addresses that status grants. A
 * controller that has just begun knows no version of the object that could be read, and must not give them to others.
 */
export class UnreadableObjects {
  readonly #objects = new Map<ObjectKey, KubeObject>();

  /** The parser, with a memory for what it throws at. */
  remember<T>(parse: (object: KubeObject) => T): (object: KubeObject) => T {
    return (object) => {
      const key = objectKey(object.metadata);
      try {
        const parsed = parse(object);
        this.#objects.delete(key);
        return parsed;
      } catch (error) {
        this.#objects.set(key, object);
        throw error;
      }
    };
  }

  /** Undefined: there is a newer version by now. */
  get({ key, uid, resourceVersion }: MalformedObject): KubeObject | undefined {
    const object = this.#objects.get(key);
    const { metadata } = object ?? {};
    return metadata?.uid === uid && metadata.resourceVersion === resourceVersion ? object : undefined;
  }

  /** Addresses that are granted to objects of which no version could be read, and whose they are. */
  grantedVips(store: ReadableStore<unknown>): ReadonlyMap<IpAddress, ObjectKey> {
    const vips = new Map<IpAddress, ObjectKey>();
    for (const [key, problem] of store.malformed) {
      const object = store.entry(key) === undefined ? this.get(problem) : undefined;
      for (const { ip } of object === undefined ? [] : readStatus(object).addresses) vips.set(ip, key);
    }
    return vips;
  }
}

/** Whatever else is wrong with an object: its status was written by us. */
export function readStatus({ status }: KubeObject) {
  return readVirtualServiceStatus(
    status === undefined ? {} : { status: status as NonNullable<VirtualServiceResource['status']> },
  );
}
