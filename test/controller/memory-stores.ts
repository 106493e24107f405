/** The stores of endpoints without an API server: what is put there is what the watch brought. */
import assert from 'node:assert/strict';
import type {
  RealServerResource,
  RealServerSliceResource,
  VirtualServiceResource,
} from '../../src/api/index.ts';
import { endpointSliceIndexes, podIndexes } from '../../src/cluster/index.ts';
import type {
  EndpointSliceIndex,
  EndpointSliceRecord,
  NodeRecord,
  PodIndex,
  PodRecord,
} from '../../src/cluster/index.ts';
import { realServerIndexes, realServerSliceIndexes } from '../../src/controller/indexes.ts';
import type { RealServerIndex, RealServerSliceIndex } from '../../src/controller/indexes.ts';
import { Store } from '../../src/kube/index.ts';

const onListenerError = (error: unknown): void => assert.fail(String(error));

export class MemoryStores {
  readonly pods = new Store<PodRecord, PodIndex>({ indexes: podIndexes, onListenerError });
  readonly endpointSlices = new Store<EndpointSliceRecord, EndpointSliceIndex>({
    indexes: endpointSliceIndexes,
    onListenerError,
  });
  readonly realServers = new Store<RealServerResource, RealServerIndex>({
    indexes: realServerIndexes,
    onListenerError,
  });
  readonly realServerSlices = new Store<RealServerSliceResource, RealServerSliceIndex>({
    indexes: realServerSliceIndexes,
    onListenerError,
  });
  readonly virtualServices = new Store<VirtualServiceResource>({ onListenerError });
  readonly nodes = new Store<NodeRecord>({ onListenerError });
  #version = 0;

  putPod(pod: PodRecord): void {
    this.pods.put({ ...this.#entry(pod), object: pod });
  }

  putEndpointSlice(slice: EndpointSliceRecord): void {
    this.endpointSlices.put({ ...this.#entry({ ...slice, uid: slice.name }), object: slice });
  }

  putRealServer(object: RealServerResource): void {
    this.realServers.put({ ...this.#entry(object.metadata), object });
  }

  putSlice(object: RealServerSliceResource): void {
    this.realServerSlices.put({ ...this.#entry(object.metadata), object });
  }

  putVirtualService(object: VirtualServiceResource): void {
    this.virtualServices.put({ ...this.#entry(object.metadata), object });
  }

  putNode(object: NodeRecord): void {
    const { name, uid } = object;
    this.nodes.put({ key: name, uid, resourceVersion: String(++this.#version), object });
  }

  remove(store: 'pods' | 'endpointSlices' | 'realServers' | 'realServerSlices', key: string): void {
    const entry = this[store].entry(key);
    assert.ok(entry, `${key} is there`);
    this[store].remove(key, entry.uid, String(++this.#version));
  }

  #entry({ namespace, name, uid = name }: { namespace: string; name: string; uid?: string }) {
    return { key: `${namespace}/${name}`, uid, resourceVersion: String(++this.#version) };
  }
}
