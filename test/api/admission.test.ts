import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, it } from 'node:test';
import { parseAllDocuments } from 'yaml';
import { formatFieldPath, parseResource } from '../../src/api/index.ts';
import { kindDescriptions } from '../../src/api/kinds.ts';
import { admit } from './api-server.ts';
import { addressPool, director, realServer, realServerSlice, virtualService } from './objects.ts';
import { refusals } from './refusal-table.ts';

/** Rows of the table that are not for the schemas of an API server to refuse, and why. */
const beyondSchemas: ReadonlyMap<string, string> = new Map([
  ['a name in capitals', 'metadata'],
  ['no name', 'metadata'],
  ['a generated name', 'metadata'],
  ['a label that YAML made a number', 'metadata'],
  ['a namespace on a cluster-wide kind', 'metadata'],
  ['a namespace on a Director', 'metadata'],
  ['a range of addresses that ends before it begins', 'CEL has no order of addresses'],
  ['a range in two spellings', 'a set is compared as text'],
]);

const ruleNames = new Set(kindDescriptions.flatMap(({ rules }) => rules.map(({ name }) => name)));

/** A RealServer without the field `addresses`. */
const fromCluster = (source: object): unknown =>
  JSON.parse(JSON.stringify(realServer({ addresses: undefined, ...source })));

/** What a rule says about its field, without the path; the paths of lists have no index on an API server. */
function ruleMessages(value: unknown): { readonly name: string; readonly message: string }[] {
  const result = parseResource(value);
  if (result.ok) return [];
  return result.problems
    .filter(({ reason }) => ruleNames.has(reason))
    .map(({ reason, path: at, message }) => ({
      name: reason,
      message: message.slice(formatFieldPath(at).length + 1),
    }));
}

const rows = refusals.filter(
  ([, value]) => !/^(?:Missing|Invalid|Unknown|Foreign)/.test(kindProblem(value) ?? ''),
);

/** Why no kind of ours can be read from the value. */
function kindProblem(value: unknown): string | undefined {
  const result = parseResource(value);
  return result.ok || (result.object ?? value) !== value ? undefined : result.problems[0]?.reason;
}

describe('an API server and a director give the same verdict', () => {
  for (const [what, value] of rows) {
    const isRefused = !beyondSchemas.has(what);
    it(`${what} is ${isRefused ? 'refused' : 'left to others'} by an API server`, () => {
      assert.equal(admit(value).problems.length > 0, isRefused, JSON.stringify(admit(value).problems));
    });
  }

  it('most of the table can be judged by an API server', () => assert.ok(rows.length > 75, `${rows.length}`));

  it('with the same words, where one field is to blame', () => {
    const same = new Set<string>();
    for (const [, value] of rows) {
      const said = new Set(
        admit(value).problems.map(({ message }) => message.replace(/^(?:endPort|name) /, '')),
      );
      for (const { name, message } of ruleMessages(value)) if (said.has(message)) same.add(name);
    }
    // A rule about a whole list cannot name an entry there: its message is its promise.
    const different = [...ruleNames].filter((name) => !same.has(name) && !name.startsWith('Duplicate'));
    assert.deepEqual(different, []);
  });

  for (const [what, value] of [
    ['the smallest VirtualService', virtualService()],
    ['the smallest RealServer', realServer()],
    ['the smallest AddressPool', addressPool()],
    ['an AddressPool of nothing', addressPool({ addresses: undefined })],
    ['a VirtualService with empty mappings', virtualService({ forwarding: {}, drain: {}, persistence: {} })],
    ['a tunnel', virtualService({ forwarding: { method: 'TUN', tunnel: {} } })],
    ['a RealServer of pods', fromCluster({ podSelector: { matchLabels: { app: 'web' } } })],
    ['a RealServer of all pods', fromCluster({ podSelector: {} })],
    ['a RealServer of a Service', fromCluster({ serviceRef: { name: 'web' } })],
    ['the smallest RealServerSlice', realServerSlice({ endpoints: undefined })],
    [
      'a RealServerSlice of pods',
      realServerSlice({
        endpoints: [
          { address: '198.51.100.1', phase: 'Draining', deadline: '2026-01-31T12:00:00Z', podUID: 'a-1' },
        ],
      }),
    ],
    ['a Director', director()],
    ['a tunnel of one RealServer', realServer({ forwarding: { method: 'TUN', tunnel: {} } })],
  ] as const) {
    it(`${what} is accepted by both, with the same defaults`, () => {
      const { stored, problems } = admit(value);
      assert.deepEqual(problems, []);
      const [fromStored, fromWritten] = [parseResource(stored), parseResource(value)];
      assert.ok(fromStored.ok && fromWritten.ok);
      assert.deepEqual(fromStored.resource.spec, fromWritten.resource.spec);
      assert.deepEqual(fieldsOf(specOf(stored)), fieldsOf(fromWritten.resource.spec));
    });
  }

  const repository = path.join(import.meta.dirname, '../..');
  for (const file of globSync('examples{,-cluster}/*.yaml', { cwd: repository })) {
    it(`${file} is accepted`, () => {
      const text = readFileSync(path.join(repository, file), 'utf8');
      const objects = parseAllDocuments(text).map((document): unknown => document.toJS());
      assert.ok(objects.length > 0);
      for (const object of objects) assert.deepEqual(admit(object).problems, []);
    });
  }
});

function specOf(object: unknown): unknown {
  return typeof object === 'object' && object !== null && 'spec' in object ? object.spec : undefined;
}

/** The fields that are set, at every depth; parsed addresses are one field. */
function fieldsOf(value: unknown, at = ''): string[] {
  if (Array.isArray(value)) return [at];
  if (typeof value !== 'object' || value === null) return value === undefined ? [] : [at];
  return Object.entries(value)
    .flatMap(([name, child]: [string, unknown]) => fieldsOf(child, `${at}.${name}`))
    .sort();
}
