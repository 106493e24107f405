/**
 * Definitions of the version before are replaced by these, and come back: what `helm upgrade` and `helm rollback` do first. Only a
 * real kube-apiserver replaces definitions, and only a repository with its history has the older ones.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { parseAllDocuments } from 'yaml';
import { ask } from '../apiserver/client.ts';
import { Environment, availableServers, until } from '../apiserver/environment.ts';
import type { KubeObject, Mapping } from '../apiserver/objects.ts';
import { readDefinitions } from '../apiserver/resource-type.ts';
import { pathOf } from '../chart/deployment.ts';
import { missingHistory, previousFile } from '../lab/previous-version.ts';

const recorded = path.resolve(import.meta.dirname, '../golden/previous/cluster-objects.json');
const objects = (JSON.parse(readFileSync(recorded, 'utf8')) as readonly KubeObject[]).map(
  ({ apiVersion, kind, metadata: { name, namespace }, spec }) => ({
    apiVersion,
    kind,
    metadata: { name, ...(namespace === undefined ? {} : { namespace }) },
    ...(spec === undefined ? {} : { spec }),
  }),
);

const isReal = availableServers().includes('kube-apiserver');
const obstacle = isReal ? missingHistory() : 'there is no real kube-apiserver';

it('there are definitions to replace, or it is said why not', () => {
  if (obstacle !== undefined) console.log(`upgrade and rollback of definitions were NOT tried: ${obstacle}`);
});

if (obstacle === undefined) {
  describe('definitions', () => {
    const older = previousDefinitions();
    const environment = new Environment('kube-apiserver', { definitions: older });
    let uids: readonly string[];

    before(() => environment.open());
    after(() => environment.close());

    async function replaceBy(
      definitions: readonly Mapping[],
      field: string,
      isThere: boolean,
    ): Promise<void> {
      for (const definition of definitions) {
        const { status, body } = await apply(
          definition as KubeObject,
          'apiextensions.k8s.io/v1',
          environment,
        );
        assert.ok(status < 300, body.message);
      }
      await until(`the field ${field} is ${isThere ? '' : 'not '}served`, async () => {
        const { body } = await ask(
          environment,
          'GET',
          '/openapi/v3/apis/networking.lvs-operator.io/v1alpha1',
        );
        return JSON.stringify(body).includes(`"${field}"`) === isThere;
      });
    }

    async function readAll(): Promise<readonly KubeObject[]> {
      const found: KubeObject[] = [];
      for (const object of objects) {
        const { status, body } = await ask(environment, 'GET', pathOf(object));
        assert.equal(status, 200, `${object.kind} ${object.metadata.name}`);
        found.push(body);
      }
      return found;
    }

    const specs = (list: readonly KubeObject[]): unknown[] => list.map(({ spec }) => spec);
    let specsBefore: readonly unknown[];

    it('of the version before hold its objects', async () => {
      for (const object of objects) {
        const { status, body } = await apply(object, object.apiVersion, environment);
        assert.ok(status < 300, `${object.kind} ${object.metadata.name}: ${body.message}`);
      }
      const all = await readAll();
      uids = all.map(({ metadata }) => String(metadata['uid']));
      specsBefore = specs(all);
    });

    it('of this one keep them, and every one can be written again', async () => {
      await replaceBy(readDefinitions() as Mapping[], 'slowStart', true);
      assert.deepEqual(
        (await readAll()).map(({ metadata }) => String(metadata['uid'])),
        uids,
      );
      for (const object of objects) {
        const { status, body } = await apply(object, object.apiVersion, environment);
        assert.ok(status < 300, `${object.kind} ${object.metadata.name}: ${body.message}`);
      }
      const [service] = objects.filter(({ kind }) => kind === 'VirtualService');
      assert.ok(service !== undefined);
      const spec = {
        ...(service['spec'] as Mapping),
        healthCheck: { tcp: {} },
        slowStart: { durationSeconds: 9 },
      };
      const { status, body } = await apply({ ...service, spec }, service.apiVersion, environment);
      assert.ok(status < 300, body.message);
    });

    it('that come back keep them as well, without what only this version knows', async () => {
      await replaceBy(older, 'slowStart', false);
      const all = await readAll();
      assert.deepEqual(
        all.map(({ metadata }) => String(metadata['uid'])),
        uids,
      );
      assert.deepEqual(specs(all), specsBefore);
    });
  });
}

function apply(object: KubeObject, apiVersion: string, server: Environment) {
  const where =
    apiVersion === 'apiextensions.k8s.io/v1'
      ? `/apis/${apiVersion}/customresourcedefinitions/${object.metadata.name}`
      : pathOf(object);
  return ask(
    server,
    'PATCH',
    `${where}?fieldManager=people&force=true&fieldValidation=Strict`,
    object,
    'apply',
  );
}

function previousDefinitions(): Mapping[] {
  return (readDefinitions() as Mapping[]).map((definition) => {
    const { name } = definition['metadata'] as { readonly name: string };
    const [plural = '', ...group] = name.split('.');
    const [document] = parseAllDocuments(previousFile(`crds/${group.join('.')}_${plural}.yaml`));
    return document?.toJS() as Mapping;
  });
}
