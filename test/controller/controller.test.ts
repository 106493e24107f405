import assert from 'node:assert/strict';
import { after, before, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { addressPoolType, directorType, nodeType, virtualServiceType } from '../../src/cluster/index.ts';
import { onEveryServer, until } from '../apiserver/environment.ts';
import { ClusterRig } from './cluster-rig.ts';

const ask = (ip: string, port = 80) => ({ addresses: [{ ip }], ports: [{ port }] });

onEveryServer('the controller', (environment) => {
  let rig: ClusterRig;
  before(async () => {
    rig = new ClusterRig(environment);
    await rig.pool('public', { addresses: ['192.0.2.10-192.0.2.12'], default: true });
    await rig.director('a');
    await rig.start();
  });
  after(() => rig.close());

  it('makes a VirtualService ready, step by step', async () => {
    await rig.virtualService('web');
    await rig.realServer('web', 'web');
    await rig.waitFor('web', 'AddressAssigned', 'True Assigned');
    await rig.waitFor('web', 'RealServersAvailable', 'False NoRealServers');
    await rig.pod('web-1', '10.8.0.1', { app: 'web' });
    await rig.waitFor('web', 'RealServersAvailable', 'True Serving');
    assert.deepEqual(await rig.endpoints('web'), ['10.8.0.1']);
    assert.equal(await rig.condition('web', 'Ready'), 'False DirectorsPending');
    assert.equal(await rig.condition('web', 'Reconciling'), 'True DirectorsPending');
    await rig.director('a');
    await rig.waitFor('web', 'Ready', 'True Ready');
    const { observedGeneration, realServersReady, directorsReady } = await rig.status('web');
    assert.deepEqual([observedGeneration, realServersReady, directorsReady], [1, '1/1', '1/1']);
    assert.deepEqual(await rig.vips('web'), ['192.0.2.10']);
  });

  it('is understood by kubectl', async () => {
    const kubectl = environment.kubectl();
    const wait = ['wait', '--for=condition=Ready', 'virtualservices.networking.lvs-operator.io/web'];
    const { status, stderr } = await kubectl(['-n', rig.namespace, ...wait, '--timeout=10s']);
    assert.equal(status, 0, stderr);
  });

  it('tells people what has turned, once each', async () => {
    await until('events are written', async () => (await rig.events('web')).includes('Programmed'));
    assert.deepEqual(await rig.events('web'), [
      'Accepted',
      'AddressAssigned',
      'Programmed',
      'RealServersAvailable',
    ]);
  });

  it('writes nothing at rest', async () => {
    // A RealServer may be told of a second late.
    await rig.settled(1500);
    const versions = await rig.versions();
    await sleep(1500);
    assert.deepEqual(await rig.versions(), versions);
  });

  it('waits for no director that is in maintenance, and says when there is no other', async () => {
    const maintenance = { since: '2026-01-01T00:00:00Z', active: 3, inactive: 0 };
    await rig.director('a', { maintenance });
    await rig.waitFor('web', 'Ready', 'False DirectorsInMaintenance');
    const { conditions } = await rig.status('web');
    const name = environment.clusterName('a');
    assert.match(
      conditions.find(({ type }) => type === 'Ready')?.message ?? '',
      new RegExp(`^Nobody takes new clients: director ${name}, all that there are, in maintenance\\.`),
    );
    await rig.director('b');
    await rig.waitFor('web', 'Ready', 'True Ready');
    // The one that is out falls behind, which is nobody's trouble.
    await rig.virtualService('web', { scheduler: 'rr' });
    await rig.director('b');
    await rig.waitFor('web', 'Ready', 'True Ready');
    const { counts, conditions: told } = await rig.status('web');
    const { directors, programmed, inMaintenance } = counts as Record<string, unknown>;
    assert.deepEqual([directors, programmed, inMaintenance], [1, 1, 1]);
    assert.match(
      told.find(({ type }) => type === 'Ready')?.message ?? '',
      new RegExp(`as is director ${name}`),
    );
    await rig.director('a', { maintenance: null });
    await until('both are counted', async () => (await rig.status('web')).directorsReady === '2/2');
    await rig.remove(directorType, environment.clusterName('b'));
    await rig.virtualService('web', {});
    await rig.director('a');
    await rig.waitFor('web', 'Ready', 'True Ready');
  });

  it('keeps what was accepted when a new spec is refused', async () => {
    await rig.virtualService('web', ask('203.0.113.1'));
    await rig.waitFor('web', 'Stalled', 'True AddressNotInPool');
    assert.deepEqual(await rig.vips('web'), ['192.0.2.10']);
    assert.equal(await rig.condition('web', 'Programmed'), 'False DirectorsPending');
    await rig.director('a');
    await rig.waitFor('web', 'Programmed', 'True Programmed');
    await rig.virtualService('web', {});
    await rig.director('a');
    await rig.waitFor('web', 'Ready', 'True Ready');
    assert.deepEqual(await rig.vips('web'), ['192.0.2.10']);
  });

  it('settles a conflict, names the holder, and passes the address on when he goes', async () => {
    await rig.virtualService('holder', ask('192.0.2.11'));
    await rig.waitFor('holder', 'Accepted', 'True Accepted');
    await rig.virtualService('second', ask('192.0.2.11'));
    await rig.waitFor('second', 'Accepted', 'False Conflicted');
    const { conditions } = await rig.status('second');
    const accepted = conditions.find(({ type }) => type === 'Accepted');
    assert.match(accepted?.message ?? '', new RegExp(`${rig.namespace}/holder`));
    await rig.remove(virtualServiceType, 'holder');
    await rig.waitFor('second', 'Accepted', 'False AddressQuarantined');
    assert.equal(await rig.condition('second', 'Reconciling'), 'True AddressQuarantined');
    await rig.director('a', { releasing: ['192.0.2.11'] });
    await rig.settled();
    assert.deepEqual(await rig.vips('second'), []);
    await rig.director('a');
    await rig.waitFor('second', 'Accepted', 'True Accepted');
    assert.deepEqual(await rig.vips('second'), ['192.0.2.11']);
  });

  it('keeps an address in quarantine through a restart', async () => {
    await rig.remove(virtualServiceType, 'second');
    const quarantined = async () => JSON.stringify((await rig.poolStatus('public'))['quarantined'] ?? []);
    await until('it is in quarantine', async () => (await quarantined()).includes('192.0.2.11'));
    await rig.restart();
    await rig.virtualService('third', ask('192.0.2.11'));
    await rig.waitFor('third', 'Accepted', 'False AddressQuarantined');
    await rig.director('a');
    await rig.waitFor('third', 'Accepted', 'True Accepted');
    await until('nothing is in quarantine', async () => (await quarantined()) === '[]');
  });

  it('says what is wrong with a version that it cannot read, and leaves in force what it could', async () => {
    const sourceRanges = ['2001:db8::/64', '2001:db8:0::/64'];
    await rig.virtualService('third', { ...ask('192.0.2.11'), sourceRanges });
    await rig.waitFor('third', 'Stalled', 'True Invalid');
    await rig.waitFor('third', 'Accepted', 'False Invalid');
    assert.equal(await rig.condition('third', 'Ready'), 'False Invalid');
    assert.equal((await rig.status('third')).observedGeneration, 2);
    assert.deepEqual(await rig.vips('third'), ['192.0.2.11']);
    await rig.settled(300);
    await rig.virtualService('third', ask('192.0.2.11'));
    await rig.waitFor('third', 'Accepted', 'True Accepted');
  });

  it('overwrites what a tenant writes into a status, and takes away what he adds', async () => {
    const stolen = [{ ip: '192.0.2.10', since: '2020-01-01T00:00:00Z' }];
    await rig.patchStatus('third', { addresses: stolen, ports: [{ protocol: 'TCP', port: 80 }] });
    await until('the address is the old one', async () => (await rig.vips('third')).join() === '192.0.2.11');
    await rig.applyStatus('third', 'tenant', { addresses: stolen });
    await until('the address is alone', async () => (await rig.vips('third')).join() === '192.0.2.11');
    assert.deepEqual(await rig.vips('web'), ['192.0.2.10']);
  });

  it('releases nothing when a pool shrinks, and says so', async () => {
    await rig.pool('public', { addresses: ['192.0.2.100-192.0.2.101'], default: true });
    await rig.waitFor('web', 'AddressAssigned', 'True OutsidePool');
    assert.deepEqual(await rig.vips('web'), ['192.0.2.10']);
    await until('the pool says so', async () =>
      JSON.stringify((await rig.poolStatus('public'))['conditions']).includes('OutsidePool'),
    );
    await rig.pool('public', { addresses: ['192.0.2.10-192.0.2.12'], default: true });
    await rig.waitFor('web', 'AddressAssigned', 'True Assigned');
  });

  it('deletes the Director of a node that is gone, and no other', async () => {
    await rig.director('b');
    await rig.remove(nodeType, environment.clusterName('b'));
    await until(
      'the Director is gone',
      async () => (await rig.get(directorType, environment.clusterName('b'))) === undefined,
      20_000,
    );
    assert.notEqual(await rig.get(directorType, environment.clusterName('a')), undefined);
  });

  it('is led by one replica, and by the other as soon as that one stops', async () => {
    const second = await rig.start();
    await sleep(1000);
    assert.equal(second.controller.isLeading, false);
    await rig.stopLeader();
    await until('the other leads', async () => second.controller.isLeading, 5000);
    await rig.virtualService('later', ask('192.0.2.12'));
    await rig.waitFor('later', 'Accepted', 'True Accepted');
    assert.deepEqual(await rig.vips('web'), ['192.0.2.10']);
  });

  it('is led by another replica when the leader dies', async () => {
    const second = await rig.start();
    await rig.killLeader();
    await until('the other leads', async () => second.controller.isLeading, 10_000);
    await rig.virtualService('later', ask('192.0.2.12', 443));
    await until('its port is accepted', async () => (await rig.status('later'))['portList'] === '443/TCP');
  });

  it('lets go of everything that is deleted', async () => {
    for (const name of ['web', 'third', 'later']) await rig.remove(virtualServiceType, name);
    await until('the addresses wait', async () => {
      const { counts } = await rig.poolStatus('public');
      return JSON.stringify(counts) === '{"addresses":"3","allocated":0,"quarantined":3}';
    });
    await rig.director('a');
    await until('the addresses are free', async () => {
      const { counts } = await rig.poolStatus('public');
      return JSON.stringify(counts) === '{"addresses":"3","allocated":0,"quarantined":0}';
    });
    await rig.remove(addressPoolType, environment.clusterName('public'));
  });
});
