/** What schemas and rules of our kinds refuse: the same verdict and the same words from every API server. */
import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { it } from 'node:test';
import { parseAllDocuments } from 'yaml';
import { admit, schemas } from '../api/api-server.ts';
import { refusals } from '../api/refusal-table.ts';
import { ask, crdBase } from './client.ts';
import { onEveryServer } from './environment.ts';
import { isMapping, valueAt } from './objects.ts';
import { readDefinitions } from './resource-type.ts';

const repository = path.join(import.meta.dirname, '../..');

/** Where objects of a kind are made. */
const collections: ReadonlyMap<string, { readonly plural: string; readonly isNamespaced: boolean }> = new Map(
  readDefinitions().map((definition) => [
    String(valueAt(definition, '.spec.names.kind')),
    {
      plural: String(valueAt(definition, '.spec.names.plural')),
      isNamespaced: valueAt(definition, '.spec.scope') === 'Namespaced',
    },
  ]),
);

/** Spellings of one refusal that differ between the libraries behind the servers. */
const plain = (text: string) => text.replaceAll(/\\?"/g, '"');
/** What a number is called that does not fit is a matter of its size and format. */
const wording = (message: string) =>
  plain(message).replace(/ in body must be of type integer: .*$/, ' in body must be of type int');

onEveryServer('admission', (server) => {
  const tryOut = (object: object) => {
    const { plural, isNamespaced } = collections.get(String(valueAt(object, '.kind'))) ?? assert.fail();
    const where = isNamespaced ? `namespaces/${server.namespace}/` : '';
    const url = `${crdBase}/${where}${plural}?dryRun=All&fieldValidation=Strict`;
    return ask(server, 'POST', url, object);
  };

  for (const [what, value] of refusals) {
    // Metadata and the kind are judged by rules that are not ours.
    const kind = isMapping(value) ? String(value['kind']) : '';
    if (!isMapping(value) || !schemas.has(kind) || value['apiVersion'] !== crdBase.slice('/apis/'.length))
      continue;
    const { problems } = admit(value);
    it(`of ${what}`, async () => {
      const { status, body } = await tryOut({ ...value, metadata: { name: 'row' } });
      assert.equal(status >= 400, problems.length > 0, `${status} ${body.message}`);
      const unknown = problems.filter(({ message }) => message === 'unknown field');
      // Strict decoding comes first, and its errors alone are told.
      const told = unknown.length > 0 ? unknown : problems;
      for (const { path: field, message } of told) {
        const said = plain(body.message);
        const isTold =
          message === 'unknown field'
            ? said.includes(`unknown field "${field}"`)
            : said.includes(`${field}: `) && said.includes(wording(message));
        assert.ok(isTold, `"${field}: ${message}" is not in ${said}`);
      }
    });
  }

  for (const file of globSync('examples{,-cluster}/*.yaml', { cwd: repository })) {
    it(`of ${file}`, async () => {
      const documents = parseAllDocuments(readFileSync(path.join(repository, file), 'utf8'));
      for (const document of documents) {
        const object: unknown = document.toJS();
        assert.ok(isMapping(object));
        const metadata = { ...(isMapping(object['metadata']) ? object['metadata'] : {}) };
        delete metadata['namespace'];
        const { status, body } = await tryOut({ ...object, metadata });
        assert.equal(status, 201, body.message);
      }
    });
  }

  if (server.isReal) {
    it('of the definitions themselves: nothing to warn of, and all of them established', async () => {
      const base = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';
      for (const definition of readDefinitions()) {
        const name = String(valueAt(definition, '.metadata.name'));
        const apply = `${base}/${name}?fieldManager=lvs-test&force=true&fieldValidation=Strict`;
        const { status, headers, body } = await ask(server, 'PATCH', apply, definition, 'apply');
        assert.equal(status, 200, body.message);
        assert.equal(headers.get('warning'), null);
        const conditions = valueAt(body, '.status.conditions') as { type: string; status: string }[];
        const isTrue = conditions.filter(({ status: is }) => is === 'True').map(({ type }) => type);
        assert.deepEqual(isTrue.toSorted(), ['Established', 'NamesAccepted']);
      }
    });
  }
});
