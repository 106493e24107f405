/** Tools that wait tell in progress, ready and failed apart, from the first second: over what a real controller writes. */
import assert from 'node:assert/strict';
import { after, before, it } from 'node:test';
import { WatchClient, ask, crdBase } from '../apiserver/client.ts';
import { onEveryServer, until } from '../apiserver/environment.ts';
import type { KubeObject } from '../apiserver/objects.ts';
import { ClusterRig } from '../controller/cluster-rig.ts';
import { argoHealth, kstatus } from './kstatus.ts';
import type { Progress } from './kstatus.ts';

const argoWords: Readonly<Record<Progress, string>> = {
  InProgress: 'Progressing',
  Current: 'Healthy',
  Failed: 'Degraded',
  Terminating: 'Progressing',
};

onEveryServer('the status of an object, as tools read it', (server) => {
  let rig: ClusterRig;
  const watches: WatchClient[] = [];

  before(async () => {
    rig = new ClusterRig(server);
    await rig.pool('public', { addresses: ['192.0.2.10-192.0.2.12'], default: true });
    await rig.director('a');
  });
  after(async () => {
    for (const watch of watches) watch.close();
    await rig.close();
  });

  function record(plural: string, isNamespaced = true): WatchClient {
    const where = isNamespaced ? `/namespaces/${server.namespace}` : '';
    const watch = new WatchClient(server, `${crdBase}${where}/${plural}?watch=true`, server.headers);
    watches.push(watch);
    return watch;
  }

  /** What a tool has seen, one word for each time that it changed; both tools must have seen the same. */
  function storyOf(watch: WatchClient, name: string): Progress[] {
    const objects = watch.events
      .filter(({ type, object }) => type !== 'DELETED' && object.metadata.name === name)
      .map(({ object }) => object as KubeObject);
    const words = objects.map((object) => {
      const word = kstatus(object);
      if (word !== 'Terminating') assert.equal(argoHealth(object).status, argoWords[word]);
      return word;
    });
    return words.filter((word, index) => word !== words[index - 1]);
  }

  it('is in progress before any controller has looked, and ready when it serves', async () => {
    const watch = record('virtualservices');
    await rig.virtualService('web');
    await rig.realServer('web', 'web');
    await until('it is seen', () => Promise.resolve(storyOf(watch, 'web').length === 1));
    assert.deepEqual(storyOf(watch, 'web'), ['InProgress']);
    await rig.start();
    await rig.pod('web-1', '10.8.0.1', { app: 'web' });
    await rig.waitFor('web', 'RealServersAvailable', 'True Serving');
    await rig.director('a');
    await rig.waitFor('web', 'Ready', 'True Ready');
    await until('the watch has it', () => Promise.resolve(storyOf(watch, 'web').at(-1) === 'Current'));
    assert.deepEqual(storyOf(watch, 'web'), ['InProgress', 'Current']);
  });

  it('is failed for what only a person can mend, and ready again when that is done', async () => {
    const watch = record('virtualservices');
    await rig.virtualService('wrong', { addresses: [{ ip: '203.0.113.9' }] });
    await rig.realServer('wrong', 'wrong');
    await rig.pod('wrong-1', '10.8.0.9', { app: 'wrong' });
    await rig.waitFor('wrong', 'Stalled', 'True AddressNotInPool');
    await until('the watch has it', () => Promise.resolve(storyOf(watch, 'wrong').at(-1) === 'Failed'));
    await rig.virtualService('wrong', { addresses: [{ ip: '192.0.2.11' }] });
    await rig.waitFor('wrong', 'RealServersAvailable', 'True Serving');
    await rig.director('a');
    await rig.waitFor('wrong', 'Ready', 'True Ready');
    await until('the watch has it', () => Promise.resolve(storyOf(watch, 'wrong').at(-1) === 'Current'));
    assert.deepEqual(storyOf(watch, 'wrong'), ['InProgress', 'Failed', 'InProgress', 'Current']);
  });

  it('of a RealServer and an AddressPool begins in progress, too, and ends ready', async () => {
    const realServers = record('realservers');
    const pools = record('addresspools', false);
    await rig.realServer('late', 'web', { podSelector: { matchLabels: { app: 'web' } } });
    await rig.pool('late', { addresses: ['192.0.2.100'] });
    for (const [watch, name] of [
      [realServers, 'late'],
      [pools, server.clusterName('late')],
    ] as const) {
      await until(`${name} is ready`, () => Promise.resolve(storyOf(watch, name).at(-1) === 'Current'));
      assert.deepEqual(storyOf(watch, name), ['InProgress', 'Current']);
    }
  });

  it('is Current at once for a kind that says nothing, which is why ours have a default: the control', async () => {
    const { body } = await ask(
      server,
      'GET',
      `${crdBase}/namespaces/${server.namespace}/virtualservices/web`,
    );
    const { status: _, ...bare } = body;
    assert.equal(kstatus(bare as unknown as KubeObject), 'Current');
  });
});
