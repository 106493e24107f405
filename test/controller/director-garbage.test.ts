import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parserOf } from '../../src/cluster/index.ts';
import type { NodeRecord, ResourceOf } from '../../src/cluster/index.ts';
import { DirectorGarbage } from '../../src/controller/director-garbage.ts';
import { KubeClient, Store } from '../../src/kube/index.ts';
import { FakeTime } from '../kube/fake-time.ts';
import { MemoryTransport, refusal } from '../kube/memory-transport.ts';

const director = parserOf('Director')({
  apiVersion: 'networking.lvs-operator.io/v1alpha1',
  kind: 'Director',
  metadata: { name: 'a', uid: 'uid-a', resourceVersion: '5' },
  spec: {},
});

const nodeRecord = (name: string): NodeRecord => ({
  name,
  uid: `node-${name}`,
  addresses: [],
  internalAddress: undefined,
  podCidrs: [],
  isReady: true,
  isUnschedulable: false,
  isDraining: false,
  labels: {},
});

/** @param answers of the API server about node a, one for each question: whether it exists */
function open(nodes: readonly string[], answers: readonly boolean[]) {
  const onListenerError = (error: unknown): void => assert.fail(String(error));
  const directors = new Store<ResourceOf<'Director'>>({ onListenerError });
  directors.put({ key: 'a', uid: 'uid-a', resourceVersion: '5', object: director });
  const nodeStore = new Store<NodeRecord>({ onListenerError });
  for (const name of nodes)
    nodeStore.put({ key: name, uid: name, resourceVersion: '1', object: nodeRecord(name) });
  const left = [...answers];
  const transport = new MemoryTransport(({ method }) => {
    if (method === 'DELETE') return undefined;
    if (left.shift() === true) return { metadata: { name: 'a' } };
    throw refusal(404, 'NotFound');
  });
  const time = new FakeTime();
  const deleted: string[] = [];
  const garbage = new DirectorGarbage({
    directors,
    nodes: nodeStore,
    client: new KubeClient(transport),
    clock: time,
    onDeleted: (name) => deleted.push(name),
  });
  return { garbage, transport, time, deleted, directors };
}

describe('a Director', () => {
  const scenarios: [
    scenario: string,
    nodes: readonly string[],
    answers: readonly boolean[],
    isDeleted: boolean,
  ][] = [
    ['whose node is gone, as the API server says twice, goes', ['b'], [false, false], true],
    ['whose node is in the store stays', ['a'], [], false],
    ['whose node is in no list stays, where the list has no node at all', [], [], false],
    ['whose node the API server still knows stays', ['b'], [true, true], false],
    ['whose node is made again in time stays', ['b'], [false, true], false],
  ];
  for (const [scenario, nodes, answers, isDeleted] of scenarios) {
    it(scenario, async () => {
      const { garbage, transport, time, deleted } = open(nodes, answers);
      const first = await garbage.collect('a');
      assert.deepEqual(deleted, [], 'never at the first look');
      if (first.kind === 'again') {
        time.advance(first.afterMs);
        await garbage.collect('a');
      }
      assert.deepEqual(deleted, isDeleted ? ['a'] : []);
      const deletion = transport.requests.find(({ method }) => method === 'DELETE');
      assert.equal(deletion !== undefined, isDeleted);
      if (deletion !== undefined)
        assert.deepEqual((deletion.body as Record<string, unknown>)['preconditions'], { uid: 'uid-a' });
    });
  }

  it('is not deleted by two answers in one moment', async () => {
    const { garbage, deleted } = open(['b'], [false, false]);
    await garbage.collect('a');
    await garbage.collect('a');
    assert.deepEqual(deleted, []);
  });

  it('that is gone already is no work', async () => {
    const { garbage, transport, directors } = open(['b'], []);
    directors.remove('a', 'uid-a', '9');
    assert.deepEqual(await garbage.collect('a'), { kind: 'done' });
    assert.deepEqual(transport.requests, []);
  });
});
