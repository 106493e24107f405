/**
 * What the version before this one left on disk and in the cluster, recorded with its own code: this one reads all of it. And
 * what this one writes, it can read: upgrade.test.ts of the kernel runs both where the history of the repository is there.
 *
 * `test/golden/previous` is that record: the ledger and the last good state of a director (its examples, with slices), and the
 * objects of a cluster with the statuses that its controller wrote. It is never rewritten by this version.
 */
import assert from 'node:assert/strict';
import { copyFileSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { before, describe, it } from 'node:test';
import {
  parseResource,
  readAddressPoolStatus,
  readDirectorStatus,
  readVirtualServiceStatus,
} from '../../src/api/index.ts';
import { decodeLedger, emptyLedger } from '../../src/director/ledger.ts';
import { readableBefore } from '../../src/director/last-good-before.ts';
import { LastGoodStore } from '../../src/director/last-good.ts';
import type { LastGood } from '../../src/director/last-good.ts';
import { ask } from '../apiserver/client.ts';
import { onEveryServer } from '../apiserver/environment.ts';
import type { KubeObject } from '../apiserver/objects.ts';
import { pathOf } from '../chart/deployment.ts';
import { RecordingLogger } from '../kube/objects.ts';
import { temporaryFolder } from '../manifests/temporary-folder.ts';

const recorded = path.resolve(import.meta.dirname, '../golden/previous');
const read = (name: string): string => readFileSync(path.join(recorded, name), 'utf8');

interface LastGoodFile {
  readonly objects: readonly { readonly resource: KubeObject & { readonly spec: object } }[];
}
const lastGood = JSON.parse(read('last-good.json')) as LastGoodFile;
const clusterObjects = JSON.parse(read('cluster-objects.json')) as readonly KubeObject[];

/** Reads what a version wrote, as a director does at its start. */
function load(file: string): LastGood {
  using folder = temporaryFolder();
  copyFileSync(file, path.join(folder.path, 'last-good.json'));
  return new LastGoodStore(folder.path, new RecordingLogger()).load();
}

/** Writes what was read, and gives back the text. */
async function save({ resources, cluster }: LastGood): Promise<LastGoodFile> {
  using folder = temporaryFolder();
  const store = new LastGoodStore(folder.path, new RecordingLogger());
  store.saveSoon({ accepted: resources, view: resources, cluster, fileOf: () => 'web.yaml' });
  await store.flush();
  return JSON.parse(readFileSync(path.join(folder.path, 'last-good.json'), 'utf8')) as LastGoodFile;
}

/** Names of all fields below an object, for what a version knows. */
function fieldNames(value: unknown, at = ''): string[] {
  if (Array.isArray(value)) return value.flatMap((one: unknown) => fieldNames(one, at));
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([name, child]) => [
    `${at}.${name}`,
    ...(/^\.(?:metadata|matchLabels)/.test(at + '.' + name) ? [] : fieldNames(child, `${at}.${name}`)),
  ]);
}

describe('what the version before left on disk', () => {
  it('is a ledger that is read to the last field', () => {
    const ledger = decodeLedger(read('ledger.json'));
    const { body } = JSON.parse(read('ledger.json')) as { readonly body: object };
    assert.deepEqual(JSON.parse(JSON.stringify(ledger)), body);
    // A field that is there only sometimes, such as a maintenance, may be younger.
    const always = JSON.parse(JSON.stringify(emptyLedger)) as object;
    for (const name of Object.keys(always)) assert.ok(name in body, name);
  });

  it('is a last good state of which nothing is lost, slices with their controllers included', () => {
    const { objects, resources, cluster } = load(path.join(recorded, 'last-good.json'));
    assert.equal(objects.size, lastGood.objects.length);
    assert.equal(resources.realServerSlices?.length, 3);
    assert.notEqual(cluster, undefined);
  });

  it('is written again so that it could read it: with no field that it did not know', async () => {
    const again = await save(load(path.join(recorded, 'last-good.json')));
    assert.equal(again.objects.length, lastGood.objects.length);
    const known = new Set(
      lastGood.objects.flatMap(({ resource }) => fieldNames(resource, `.${resource.kind}`)),
    );
    const written = again.objects.flatMap(({ resource }) => fieldNames(resource, `.${resource.kind}`));
    assert.deepEqual(
      [...new Set(written)].filter((name) => !known.has(name)),
      [],
    );
  });
});

describe('an object with fields that the version before did not know', () => {
  const parsed = parseResource({
    apiVersion: 'networking.lvs-operator.io/v1alpha1',
    kind: 'VirtualService',
    metadata: { name: 'web' },
    spec: { ports: [{ port: 80 }], healthCheck: { tcp: {} }, drain: { onCordon: true, timeoutSeconds: 7 } },
  });
  assert.ok(parsed.ok);
  const [reduced, whole, ...others] = readableBefore(parsed.resource);

  it('is written without them first, and whole behind', () => {
    assert.deepEqual(others, []);
    const before = fieldNames(reduced?.spec);
    assert.ok(!before.includes('.healthCheck') && !before.includes('.drain.onCordon'));
    assert.ok(before.includes('.drain.timeoutSeconds'));
    assert.ok(whole !== undefined && 'healthCheck' in whole.spec);
  });

  it('is read whole by this version', async () => {
    using folder = temporaryFolder({
      'last-good.json': JSON.stringify({
        schemaVersion: 2,
        objects: [reduced, whole].map((resource) => ({ file: 'web.yaml', resource })),
      }),
    });
    const { resources } = load(path.join(folder.path, 'last-good.json'));
    assert.equal(resources.virtualServices.length, 1);
    assert.deepEqual(resources.virtualServices[0]?.spec, parsed.resource.spec);
    const { objects } = await save(load(path.join(folder.path, 'last-good.json')));
    assert.equal(objects.length, 2);
  });
});

describe('statuses that the version before wrote', () => {
  const of = (kind: string) =>
    clusterObjects
      .filter((object) => object.kind === kind)
      .map((object) => ({ status: object['status'] as Record<string, unknown> }));

  it('keep addresses, ports and the quarantine', () => {
    for (const object of of('VirtualService')) {
      const { addresses, ports, counts, conditions } = readVirtualServiceStatus(object);
      assert.ok(addresses.length > 0 && ports.length > 0);
      assert.notEqual(counts, undefined);
      assert.ok(conditions.length >= 5);
    }
    const quarantined = of('AddressPool').flatMap((pool) => readAddressPoolStatus(pool).quarantined);
    assert.equal(quarantined.length, 1);
  });

  it('say what a director drains and how far it is', () => {
    const [status] = of('Director').map(readDirectorStatus);
    assert.equal(status?.drains.length, 1);
    assert.notEqual(status.programmedThrough?.virtualServices, undefined);
  });
});

onEveryServer('objects of the version before', (server) => {
  before(async () => {
    assert.ok(clusterObjects.length > 8);
    await ask(server, 'POST', '/api/v1/namespaces', { metadata: { name: 'default' } });
  });

  it('are taken by the definitions of this one, strictly, with their statuses', async () => {
    for (const { metadata, ...object } of clusterObjects) {
      const { name, namespace, labels } = metadata;
      const plain = {
        ...object,
        metadata: { name, ...(namespace === undefined ? {} : { namespace, labels }) },
      } as KubeObject;
      const where = pathOf(plain);
      const query = 'fieldManager=before&force=true&fieldValidation=Strict';
      const { status: _, ...withoutStatus } = plain;
      const made = await ask(server, 'PATCH', `${where}?${query}`, withoutStatus, 'apply');
      assert.ok(made.status < 300, `${plain.kind} ${name}: ${made.body.message}`);
      if (plain['status'] === undefined) continue;
      const { spec: __, ...withoutSpec } = plain;
      const told = await ask(server, 'PATCH', `${where}/status?${query}`, withoutSpec, 'apply');
      assert.ok(told.status < 300, `status of ${plain.kind} ${name}: ${told.body.message}`);
    }
  });
});
