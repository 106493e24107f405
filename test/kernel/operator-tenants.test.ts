import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { readRealServerStatus } from '../../src/api/index.ts';
import {
  addressPoolType,
  endpointSliceType,
  nodeType,
  podType,
  realServerSliceType,
  realServerType,
  virtualServiceType,
} from '../../src/cluster/index.ts';
import { ask, crdBase } from '../apiserver/client.ts';
import type { Connection, Reply } from '../apiserver/client.ts';
import { serviceAccountToken, withToken } from '../apiserver/service-account.ts';
import { applyAll } from '../chart/deployment.ts';
import type { ClusterObjects } from '../cluster/cluster-objects.ts';
import { sendRequests, startServer } from '../lab/traffic.ts';
import { sleep, until } from './director-eyes.ts';
import { clusterPool } from './director-objects.ts';
import { OperatorRig, neighbour } from './operator-rig.ts';

/**
 * What one tenant may not reach by way of his own objects. Behind every forbidden address a server listens, and each
 * attempt has a twin that is allowed and answered: what is not answered was refused, not missing.
 */

const vipPort = 80;
/** Server 1 is the tenant's own pod, server 2 his neighbour's. */
const podNetwork = '198.51.100.8/29';
/** Server 3: address of a node, and a host outside every realServerCIDRs. */
const nodeAddress = '198.51.100.20';
const outsider = '10.9.9.9';

let rig: OperatorRig;
let objects: ClusterObjects;
let neighbours: ClusterObjects;

before(async () => {
  rig = await OperatorRig.start(3);
  ({ objects } = rig.cluster);
  neighbours = rig.cluster.objectsIn(neighbour);
  const host = rig.network.realServers[2] ?? assert.fail();
  await host.ip([`addr add ${nodeAddress}/24 dev eth0`, `addr add ${outsider}/32 dev lo`]);
  await rig.network.director.ip([`route add ${outsider} via ${rig.rip(3)}`]);
  await startServer(host, { http: [vipPort, 8080, 10250] });
  await objects.create(nodeType, 'worker', { spec: { podCIDR: podNetwork, podCIDRs: [podNetwork] } });
  const addresses = [{ type: 'InternalIP', address: nodeAddress }];
  await objects.patch(nodeType, 'worker', { status: { addresses } }, 'status');
  await rig.startPod(1);
  await startServer(rig.network.realServers[1] ?? assert.fail(), { http: [vipPort] });
  await neighbours.createPod('secret', rig.rip(2), { app: 'secret' });
});

after(() => rig.close());

/** The nth address of the pool for a VirtualService of that name and one RealServer. @returns the VIP. */
async function offer(
  name: string,
  n: number,
  realServer: Readonly<Record<string, unknown>>,
  owner = objects,
): Promise<string> {
  const vip = rig.network.vip4(n);
  await owner.create(virtualServiceType, name, {
    spec: {
      addresses: [{ ip: vip }],
      ports: [{ port: vipPort }],
      scheduler: 'rr',
      forwarding: { method: 'NAT', sourceNAT: false },
    },
  });
  await owner.create(realServerType, name, { spec: { virtualServiceRef: { name }, ...realServer } });
  await until(`${name} is in the kernel`, () => rig.eyes.table().has(`TCP ${vip}:${vipPort}`));
  return vip;
}

/** `address:port`, sorted. */
function realServersOf(vip: string): string[] {
  return [...(rig.eyes.table().get(`TCP ${vip}:${vipPort}`)?.realServers.keys() ?? [])].toSorted();
}

async function answersOf(vip: string): Promise<Record<string, number>> {
  const job = { host: vip, port: vipPort, count: 6, timeoutMs: 5000 };
  return (await sendRequests(rig.network.client, job)).byServer;
}

async function reasonsOf(name: string): Promise<string> {
  const { status } = await objects.get(realServerType, name);
  return JSON.stringify(readRealServerStatus({ status: status as Record<string, unknown> }));
}

describe('a tenant', () => {
  it('reaches no pod of a neighbour by EndpointSlices of his own', async () => {
    const { uid } = (await objects.get(podType, 'web-1')).metadata;
    const { uid: secretUid } = (await neighbours.get(podType, 'secret')).metadata;
    const own = { kind: 'Pod', namespace: 'default', name: 'web-1', uid };
    const foreign = { kind: 'Pod', namespace: neighbour, name: 'secret', uid: secretUid };
    const claims = [
      { addresses: [rig.rip(1)], targetRef: own },
      { addresses: [rig.rip(2)], targetRef: foreign },
      { addresses: [rig.rip(2)], targetRef: own },
      { addresses: [rig.rip(2)] },
    ];
    for (const [index, endpoint] of claims.entries()) {
      await objects.create(endpointSliceType, `claim-${index}`, {
        metadata: {
          name: `claim-${index}`,
          namespace: 'default',
          labels: { 'kubernetes.io/service-name': 'claims' },
        },
        addressType: 'IPv4',
        ports: [{ name: '', protocol: 'TCP', port: vipPort }],
        endpoints: [endpoint],
      });
    }
    const vip = await offer('claims', 0, { serviceRef: { name: 'claims' } });
    await until('his own pod serves', () => realServersOf(vip).includes(`${rig.rip(1)}:${vipPort}`));
    await until('he is told', async () => {
      const reasons = await reasonsOf('claims');
      return ['ForeignPod', 'PodNotConfirmed', 'AddressOfPodNetwork'].every((one) => reasons.includes(one));
    });
    assert.deepEqual(realServersOf(vip), [`${rig.rip(1)}:${vipPort}`]);
    assert.deepEqual(await answersOf(vip), { server1: 6 });
    const theirs = await offer('secret', 1, { podSelector: { matchLabels: { app: 'secret' } } }, neighbours);
    await until('the neighbour serves it himself', () => realServersOf(theirs).length === 1);
    assert.deepEqual(await answersOf(theirs), { server2: 6 });
  });

  it('reaches no kubelet, but other ports of a node', async () => {
    const vip = await offer('kubelet', 2, { addresses: [nodeAddress], ports: [{ port: 10250 }] });
    await until('he is told', async () => (await reasonsOf('kubelet')).includes('ControlPort'));
    assert.deepEqual(realServersOf(vip), []);
    assert.deepEqual(await answersOf(vip), {});
    await objects.patch(realServerType, 'kubelet', { spec: { ports: [{ port: 8080 }] } });
    await until('the other port serves', () => realServersOf(vip).length === 1);
    assert.deepEqual(await answersOf(vip), { server3: 6 });
  });

  it('reaches no address that no pool gives him, until one does', async () => {
    const vip = await offer('outside', 3, { addresses: [outsider] });
    await until('he is told', async () => (await reasonsOf('outside')).includes('RealServerNotAllowed'));
    assert.deepEqual(realServersOf(vip), []);
    assert.deepEqual(await answersOf(vip), {});
    const { realServerCIDRs } = clusterPool;
    const admit = (cidrs: readonly string[]): Promise<void> =>
      objects.patch(addressPoolType, 'all', { spec: { realServerCIDRs: cidrs } });
    await admit([...realServerCIDRs, `${outsider}/32`]);
    await until('it serves', () => realServersOf(vip).length === 1);
    assert.deepEqual(await answersOf(vip), { server3: 6 });
    await admit(realServerCIDRs);
    // It leaves as draining servers do, and gets nothing new meanwhile.
    const weight = (): number => rig.eyes.weight(`TCP ${vip}:${vipPort}`, `${outsider}:${vipPort}`) ?? 0;
    await until('it is taken back', () => weight() === 0);
    assert.deepEqual(await answersOf(vip), {});
  });
});

describe('what is the part of the controller, written by an administrator while none runs,', () => {
  before(() => rig.controller.kill());

  it('binds no address that no pool has, by a status', async () => {
    const stolen = '192.0.2.77';
    const free = rig.network.vip4(5);
    for (const [name, vip] of [
      ['stolen', stolen],
      ['free', free],
    ] as const) {
      await objects.create(virtualServiceType, name, {
        spec: { addresses: [{ ip: vip }], ports: [{ port: vipPort }] },
      });
      await objects.accept(name, vip);
    }
    // The director believes a status as far as pools go: that it has read both is seen from the one that it binds.
    await until('the address of a pool is bound', () => rig.eyes.table().has(`TCP ${free}:${vipPort}`));
    await sleep(500);
    assert.ok(!rig.eyes.tableLines().some((line) => line.includes(stolen)));
    assert.ok(!rig.eyes.addressLines().some((line) => line.startsWith(`${stolen}/`)));
    assert.deepEqual(await answersOf(stolen), {});
  });

  // Not among them: any address with a podUID. Directors know no pods and believe it; nobody else may say it, see below.
  const forged: readonly (readonly [what: string, address: () => string, port: number, hasUid: boolean])[] = [
    ['a pod of a neighbour', () => rig.rip(2), vipPort, false],
    ['an address outside the pools', () => outsider, vipPort, false],
    ['a kubelet', () => nodeAddress, 10250, false],
    ['a kubelet, called a pod', () => nodeAddress, 10250, true],
  ];
  for (const [index, [what, address, port, hasUid]] of forged.entries()) {
    it(`does not reach ${what} by a slice`, async () => {
      const name = `forged-${index}`;
      const vip = rig.network.vip4(6 + index);
      const slice = (suffix: string, endpoint: Readonly<Record<string, unknown>>, slicePort: number) =>
        objects.create(realServerSliceType, `${name}-${suffix}`, {
          spec: {
            virtualServiceName: name,
            realServerName: name,
            ports: [{ port: slicePort }],
            endpoints: [{ phase: 'Serving', ...endpoint }],
          },
        });
      await objects.create(virtualServiceType, name, {
        spec: {
          addresses: [{ ip: vip }],
          ports: [{ port: vipPort }],
          forwarding: { method: 'NAT', sourceNAT: false },
        },
      });
      await objects.accept(name, vip);
      await objects.create(realServerType, name, {
        spec: { virtualServiceRef: { name }, podSelector: { matchLabels: { app: name } } },
      });
      await slice('bad', { address: address(), ...(hasUid ? { podUID: 'invented' } : {}) }, port);
      // Its twin, read by the director after it.
      await slice('good', { address: nodeAddress }, 8080);
      await until('the twin serves', () => realServersOf(vip).includes(`${nodeAddress}:8080`));
      await sleep(300);
      assert.deepEqual(realServersOf(vip), [`${nodeAddress}:8080`]);
      assert.deepEqual(await answersOf(vip), { server3: 6 });
    });
  }
});

describe('a tenant with every right in his namespace', () => {
  const slices = `${crdBase}/namespaces/default/realserverslices`;
  const name = 'believed';
  /** A slice that calls the pod of his neighbour one of his own. */
  const forge = (): Promise<Reply> =>
    ask(tenant, 'POST', slices, {
      apiVersion: 'networking.lvs-operator.io/v1alpha1',
      kind: 'RealServerSlice',
      metadata: { name: 'forged' },
      spec: {
        virtualServiceName: name,
        realServerName: name,
        endpoints: [{ address: rig.rip(2), phase: 'Serving', podUID: 'invented' }],
      },
    });
  let tenant: Connection;
  let vip: string;

  before(async () => {
    const server = { url: rig.cluster.server.url };
    tenant = withToken(server, await serviceAccountToken(server, { namespace: 'default', name: 'tenant' }));
    const namespace = 'default';
    const rbac = { apiVersion: 'rbac.authorization.k8s.io/v1', metadata: { name: 'tenant', namespace } };
    await applyAll(server, [
      { ...rbac, kind: 'Role', rules: [{ apiGroups: ['*'], resources: ['*'], verbs: ['*'] }] },
      {
        ...rbac,
        kind: 'RoleBinding',
        roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: 'tenant' },
        subjects: [{ kind: 'ServiceAccount', name: 'tenant', namespace }],
      },
    ]);
    vip = rig.network.vip4(10);
    await objects.create(virtualServiceType, name, {
      spec: {
        addresses: [{ ip: vip }],
        ports: [{ port: vipPort }],
        forwarding: { method: 'NAT', sourceNAT: false },
      },
    });
    await objects.create(realServerType, name, {
      spec: { virtualServiceRef: { name }, podSelector: { matchLabels: { app: name } } },
    });
    rig.controller.start();
    await until('it is granted', () => rig.eyes.table().has(`TCP ${vip}:${vipPort}`));
  });

  async function expectRefusal(): Promise<void> {
    const { status, body } = await forge();
    assert.equal(status, 403);
    assert.match(body.message, /realserverslices are written by the controller of lvs-operator only/);
    assert.deepEqual(realServersOf(vip), []);
    assert.deepEqual(await answersOf(vip), {});
  }

  it('reaches no pod of a neighbour by a slice that calls it his own', expectRefusal);

  it('nor while no controller runs', async () => {
    await rig.controller.kill();
    await expectRefusal();
  });

  it('but would, if no policy guarded slices: the control of the tests above', async () => {
    const bindings = '/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicybindings';
    const server = { url: rig.cluster.server.url };
    const { status } = await ask(server, 'DELETE', `${bindings}/lvs-controller.networking.lvs-operator.io`);
    assert.equal(status, 200);
    assert.equal((await forge()).status, 201);
    await until('the director believes it', () => realServersOf(vip).length === 1);
    assert.deepEqual(await answersOf(vip), { server2: 6 });
  });
});
