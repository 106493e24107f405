import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { TLSSocket } from 'node:tls';
import { after, before, describe, it } from 'node:test';
import { readDirectorStatus } from '../../src/api/index.ts';
import {
  configMapType,
  directorType,
  realServerType,
  secretType,
  virtualServiceType,
} from '../../src/cluster/index.ts';
import { applyAll, directorAccount } from '../chart/deployment.ts';
import { makeCertificate } from '../kube/certificates.ts';
import { LabSockets } from '../lab/sockets.ts';
import { until } from './director-eyes.ts';
import { OperatorRig } from './operator-rig.ts';

/**
 * Health checks of a cluster, from the objects that people apply to the kernel and back to what they read: here of pods that
 * answer nobody who does not show a certificate, which lies in a Secret that a director may read when its owner says so.
 */

const port = 443;
const server = makeCertificate('server');
const client = makeCertificate('probe');
const base64 = (text: string) => Buffer.from(text).toString('base64');

let rig: OperatorRig;
const sockets = [1, 2].map(() => new LabSockets());
/** What clients of the pods showed. */
const shown = new Set<string>();

/** Answers whoever shows the certificate of the probe, as a web server does. */
async function serve(number: number): Promise<void> {
  const host = rig.network.realServers[number - 1] ?? assert.fail();
  await sockets[number - 1]?.serve(host, 'TCP', port, {
    onConnection: (socket) => {
      const settings = { isServer: true, requestCert: true, rejectUnauthorized: true, ca: client.cert };
      const secured = new TLSSocket(socket, { ...settings, ...server });
      secured.on('error', () => socket.destroy());
      secured.once('data', () => {
        shown.add(String(secured.getPeerCertificate().subject.CN));
        secured.end('HTTP/1.1 204 No Content\r\n\r\n');
      });
    },
  });
}

before(async () => {
  rig = await OperatorRig.start(2);
  const { objects } = rig.cluster;
  await objects.create(configMapType, 'shop-ca', { data: { 'ca.crt': server.cert } });
  await objects.create(secretType, 'probe-client', {
    type: 'kubernetes.io/tls',
    data: { 'tls.crt': base64(client.cert), 'tls.key': base64(client.key) },
  });
  for (const number of [1, 2]) {
    await serve(number);
    await objects.createPod(`web-${number}`, rig.rip(number), { app: 'web' });
  }
  const tls = {
    caBundleRef: { name: 'shop-ca' },
    clientCertificateRef: { name: 'probe-client' },
    serverName: 'server',
  };
  await objects.create(virtualServiceType, 'web', {
    spec: {
      addresses: [{ ip: rig.vip }],
      ports: [{ port }],
      healthCheck: { https: { path: '/healthz', tls }, intervalSeconds: 1, failureThreshold: 2 },
      drain: { settleSeconds: 1 },
    },
  });
  await objects.create(realServerType, 'web', {
    spec: { virtualServiceRef: { name: 'web' }, podSelector: { matchLabels: { app: 'web' } } },
  });
});

after(async () => {
  for (const one of sockets) one.close();
  await rig.close();
});

const weights = () => [1, 2].map((n) => rig.eyes.weight(`TCP ${rig.vip}:${port}`, `${rig.rip(n)}:${port}`));

async function condition(type: string): Promise<string> {
  const { conditions } = await rig.status();
  const found = conditions.find((one) => one.type === type);
  return `${found?.status} ${found?.reason}: ${found?.message}`;
}

async function directorStatus() {
  const { status } = await rig.cluster.objects.get(directorType, 'n1');
  return readDirectorStatus({ status: status as Record<string, unknown> });
}

describe('pods that want to see a certificate', () => {
  it('are not asked before a director may read it, and the VirtualService says what to do', async () => {
    await until('the VirtualService says so', async () =>
      /^False CheckReferenceDenied: .*clientCertificateRef|^False CheckReferenceDenied: .*caBundleRef/.test(
        await condition('Programmed'),
      ),
    );
    await until('both are told', async () => (await directorStatus()).refused.length === 2);
    const { refused } = await directorStatus();
    assert.deepEqual(
      refused.map(({ object, reason }) => `${object} ${reason}`),
      ['VirtualService default/web CheckReferenceDenied', 'VirtualService default/web CheckReferenceDenied'],
    );
    assert.match(refused[1]?.message ?? '', /may not get Secret probe-client; bind the ClusterRole/);
    assert.deepEqual([weights(), shown.size], [[undefined, undefined], 0]);
  });

  it('are asked with it once their owner has bound the role', async () => {
    await applyAll({ url: rig.cluster.server.url }, [
      {
        apiVersion: 'rbac.authorization.k8s.io/v1',
        kind: 'RoleBinding',
        metadata: { name: 'lvs-check-references', namespace: 'default' },
        roleRef: {
          apiGroup: 'rbac.authorization.k8s.io',
          kind: 'ClusterRole',
          name: 'lvs-operator-check-references',
        },
        subjects: [{ kind: 'ServiceAccount', ...directorAccount }],
      },
    ]);
    const tookMs = await until('both serve', () => weights().join() === '100,100', 40_000);
    console.log(`served ${tookMs} ms after the role was bound`);
    assert.deepEqual([...shown], ['probe']);
    await until('it is ready', () => rig.isReady());
  });

  it('that stop answering leave, and the objects say which and why', async () => {
    sockets[1]?.close();
    await until('the second is out', () => weights().join() === '100,', 20_000);
    await until('it is told', async () => /^True .*1 of 2/.test(await condition('RealServersAvailable')));
    const { failing, counts } = await directorStatus();
    assert.deepEqual(
      failing.map(({ realServer, object, reason }) => [realServer, object, reason]),
      [[`${rig.rip(2)}:${port}`, 'RealServer default/web', 'ConnectionRefused']],
    );
    assert.deepEqual([counts?.checked, counts?.failing], [2, 1]);
  });

  it('leave no byte of the key in what is told', async () => {
    const { status } = await rig.cluster.objects.get(directorType, 'n1');
    const service = await rig.cluster.objects.get(virtualServiceType, 'web');
    const body = client.key.split('\n')[1] ?? assert.fail();
    const told = [JSON.stringify(status), JSON.stringify(service), rig.director.log];
    assert.ok(told.every((text) => !text.includes(body) && !text.includes(base64(client.key).slice(40, 80))));
    const { stateDirectory } = rig.director;
    const files = readdirSync(stateDirectory, { withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map(({ name }) => path.join(stateDirectory, name));
    assert.ok(files.length >= 2);
    assert.ok(files.every((file) => !readFileSync(file, 'utf8').includes(body)));
  });
});
