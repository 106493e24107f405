/** What an event costs in a large cluster: it must not grow with what it does not concern. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { parseIpAddress } from '../../src/base/index.ts';
import { createEndpointPolicy } from '../../src/controller/endpoint-policy.ts';
import { keysOfPod } from '../../src/controller/real-server-triggers.ts';
import { resolveEndpoints } from '../../src/controller/resolve-endpoints.ts';
import { SliceView } from '../../src/controller/slice-view.ts';
import { planSliceWrites, sliceEntryOf } from '../../src/controller/slice-writes.ts';
import { worldOf } from '../../src/controller/store-world.ts';
import { MemoryStores } from './memory-stores.ts';
import { pod, realServer, virtualService } from './objects.ts';

const realServers = 1000;
const podsOfEach = 10;

it('costs less than a millisecond with 10,000 pods and 1,000 RealServers', (t) => {
  const stores = new MemoryStores();
  stores.putVirtualService(virtualService());
  const podOf = (number: number, isReady: boolean) =>
    pod(`p${number}`, {
      ips: [parseIpAddress(`10.${number >> 16}.${(number >> 8) & 255}.${number & 255}`)],
      labels: {
        app: `app-${number % realServers}`,
        'pod-template-hash': `h${number % realServers}`,
        part: 'shop',
      },
      isReady,
    });
  for (let number = 0; number < realServers * podsOfEach; number++) stores.putPod(podOf(number, true));
  for (let number = 0; number < realServers; number++) {
    const podSelector = { matchLabels: { app: `app-${number}` } };
    stores.putRealServer(realServer({ podSelector }, `rs${number}`));
  }
  const policy = createEndpointPolicy({
    facts: { ownAddresses: [], uplinks: [], unavailableSchedulers: [], reservedCidrs: [] },
    addressPools: [],
    namespaceLabels: undefined,
  });
  const view = new SliceView(stores.realServerSlices);
  let writes = 0;
  const events = 2000;
  const startMs = performance.now();
  for (let event = 0; event < events; event++) {
    const changed = podOf((event * 7919) % (realServers * podsOfEach), event % 2 === 0);
    stores.putPod(changed);
    for (const key of keysOfPod(stores, changed)) {
      const entry = stores.realServers.entry(key);
      assert.ok(entry);
      const { endpoints } = resolveEndpoints(
        entry.object,
        worldOf(entry.object, stores, policy, () => false),
      );
      const owner = {
        namespace: 'shop',
        name: entry.object.metadata.name,
        uid: entry.uid,
        virtualServiceName: 'web',
      };
      const entries = endpoints.map(sliceEntryOf);
      writes += planSliceWrites({ owner, ...view.slicesOf(owner), entries }).length;
    }
  }
  const eachMs = (performance.now() - startMs) / events;
  t.diagnostic(`${eachMs.toFixed(3)} ms for each of ${events} pod events`);
  assert.equal(writes, events, 'one RealServer is concerned, and one slice');
  assert.ok(eachMs < 1, `${eachMs.toFixed(3)} ms`);
});
