/** Every object that the chart renders is one that an API server takes: applied by a server-side dry run, strictly. */
import assert from 'node:assert/strict';
import { before, it } from 'node:test';
import { ask } from '../apiserver/client.ts';
import { onEveryServer, until } from '../apiserver/environment.ts';
import type { KubeObject } from '../apiserver/objects.ts';
import { readDefinitions } from '../apiserver/resource-type.ts';
import { applyObject, readDeployment } from './deployment.ts';
import { monitoringDefinitions } from './monitoring-definitions.ts';
import { render } from './render.ts';
import { valueMatrix } from './value-matrix.ts';

onEveryServer(
  'what the chart renders',
  (server) => {
    before(async () => {
      for (const name of ['lvs-system', 'lvs-directors', 'edge']) {
        const { status } = await ask(server, 'POST', '/api/v1/namespaces', { metadata: { name } });
        assert.ok(status === 201 || status === 409);
      }
    });

    async function expectAccepted(objects: readonly KubeObject[]): Promise<void> {
      for (const object of objects) {
        const { status, headers, body } = await applyObject(server, object, '&dryRun=All');
        assert.ok(status < 300, `${object.kind} ${object.metadata.name}: ${body.message}`);
        assert.equal(headers.get('warning'), null, `${object.kind} ${object.metadata.name}`);
      }
    }

    for (const [what, values] of valueMatrix) {
      it(`with ${what}`, async () => {
        const objects = render(values);
        await until('the kinds of the Prometheus operator are served', async () => {
          const { status } = await ask(server, 'GET', '/apis/monitoring.coreos.com/v1/servicemonitors');
          return status === 200;
        });
        await expectAccepted(objects);
      });
    }

    it('and what deploy/ holds', () => expectAccepted(readDeployment()));
  },
  { definitions: [...readDefinitions(), ...monitoringDefinitions] },
);
