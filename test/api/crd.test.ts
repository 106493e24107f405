import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, it } from 'node:test';
import { parse } from 'yaml';
import { customResourceDefinitions, resourceKinds } from '../../src/api/index.ts';
import type { OpenApiSchema } from '../../src/api/index.ts';
import { kindDescriptions } from '../../src/api/kinds.ts';
import { celOf } from '../apiserver/cel-rules.ts';
import { prune, withDefaults } from '../apiserver/structure.ts';
import { structureProblems } from '../apiserver/validation.ts';
import { schemas } from './api-server.ts';
import { callCostLimit, objectCostLimit, ruleCostLimit, totalCostLimit, worstCost } from './cel-cost.ts';
import { nodesOf, structuralViolations } from './structural-schema.ts';

const crdFolder = path.join(import.meta.dirname, '../../crds');

/** The node at the end of `.spec.ports[].port` or `.status.conditions[?(@.type=="Ready")].status`, if there is one. */
function nodeAt(schema: OpenApiSchema, jsonPath: string): OpenApiSchema | undefined {
  const node = jsonPath.replace(/\[\?\(@\.\w+==".*"\)\]/, '[]');
  return nodesOf(schema).find(([found]) => found === node)?.[1];
}

describe('custom resource definitions', () => {
  it('exist for every kind, and the files in crds/ are read back as the same', () => {
    const definitions = customResourceDefinitions();
    assert.deepEqual(
      definitions.map(({ spec }) => spec.names.kind),
      resourceKinds,
    );
    for (const definition of definitions) {
      const { group, names } = definition.spec;
      const text = readFileSync(path.join(crdFolder, `${group}_${names.plural}.yaml`), 'utf8');
      assert.equal(definition.metadata.name, `${names.plural}.${group}`);
      assert.deepEqual(parse(text), definition);
      assert.deepEqual(
        parse(text, { version: '1.1' }),
        definition,
        'as YAML 1.1, which Kubernetes tools read',
      );
      // kubectl apply without --server-side keeps the whole file in an annotation of 256 KiB.
      assert.ok(text.length < 128 * 1024, `${text.length} bytes`);
    }
  });

  for (const { spec } of customResourceDefinitions()) {
    const [version] = spec.versions;
    assert.ok(version);
    const root = version.schema.openAPIV3Schema;
    const kind = spec.names.kind;

    it(`${kind}: the schema is structural`, () => assert.deepEqual(structuralViolations(root), []));

    it(`${kind}: every default is valid by the schema that it stands in`, () => {
      for (const [at, node] of nodesOf(root)) {
        if (node.default === undefined) continue;
        const { unknown, value } = prune(node, node.default);
        assert.deepEqual(unknown, [], at);
        assert.deepEqual(structureProblems(node, withDefaults(node, value)), [], at);
      }
    });

    it(`${kind}: every field is explained`, () => {
      const silent = nodesOf(root).filter(
        ([at, { description }]) => !/(?:\[\]|\.\*)$/.test(at) && !description,
      );
      assert.deepEqual(
        silent.map(([at]) => at),
        ['.metadata'],
      );
    });

    it(`${kind}: every text and list has a limit, so that the price of a rule is known`, () => {
      for (const [at, node] of nodesOf(root)) {
        if (!/^\.(?:spec|status)/.test(at)) continue;
        if (node.type === 'string') assert.ok(node.maxLength ?? node.enum, at);
        if (node.type === 'array') assert.ok(node.maxItems, at);
        if (node.additionalProperties !== undefined) assert.ok(node.maxProperties, at);
      }
    });

    it(`${kind}: columns have names of their own, and those for -o wide come last`, () => {
      const columns = version.additionalPrinterColumns;
      assert.equal(new Set(columns.map(({ name }) => name)).size, columns.length);
      const widths = columns.map(({ priority = 0 }) => priority);
      assert.deepEqual(
        widths,
        widths.toSorted((a, b) => a - b),
      );
      // A terminal has 80 to 120 columns.
      assert.ok(columns.filter(({ priority = 0 }) => priority === 0).length <= 8);
    });

    it(`${kind}: columns and selectable fields are single values that exist`, () => {
      const columns = version.additionalPrinterColumns.filter(({ name }) => name !== 'Age');
      assert.ok(columns.length > 0);
      for (const { jsonPath, type } of columns) assert.equal(nodeAt(root, jsonPath)?.type, type, jsonPath);
      for (const { jsonPath } of version.selectableFields ?? []) {
        assert.equal(nodeAt(root, jsonPath)?.type, 'string', jsonPath);
      }
    });
  }
});

describe('the names of the kinds', () => {
  it('are different, short ones too, and none is that of others', () => {
    const names = customResourceDefinitions().flatMap(({ spec: { names: own } }) => [
      own.plural,
      own.singular,
      ...own.shortNames,
    ]);
    assert.equal(new Set(names).size, names.length);
    for (const name of names.filter((short) => short.length < 8)) assert.match(name, /^lvs/);
  });
});

describe('rules in CEL', () => {
  const nodes = [...schemas].flatMap(([kind, root]) =>
    nodesOf(root).flatMap(([at, node]) =>
      (node['x-kubernetes-validations'] ?? []).map((validation) => ({
        at: `${kind}${at}`,
        node,
        validation,
      })),
    ),
  );

  it('are there', () => assert.ok(nodes.length > 25, `${nodes.length} rules`));

  it('name only fields that exist, and give true or false', () => {
    for (const { at, node, validation } of nodes) {
      const { type, error } = celOf(node).check(validation.rule);
      assert.equal(error, undefined, `${at}: ${validation.rule}`);
      assert.equal(type, 'bool', at);
    }
  });

  it('hold for a default as it is written, before the defaults inside it: so it is tried on its own', () => {
    const onDefaults = nodes.filter(({ node }) => node.default !== undefined);
    assert.ok(onDefaults.length > 3, `${onDefaults.length}`);
    for (const { at, node, validation } of onDefaults) {
      assert.equal(celOf(node).evaluate(validation.rule, node.default), true, `${at}: ${validation.rule}`);
    }
  });

  it('would be found out if they named another field', () => {
    const root = schemas.get('VirtualService');
    const ports = root && nodeAt(root, '.spec.ports');
    assert.ok(ports);
    assert.match(celOf(ports).check('self.all(p, p.number > 0)').error ?? '', /number/);
  });

  it('have messages on one line; those with values are texts of a known price', () => {
    for (const { at, node, validation } of nodes) {
      const { message, messageExpression, fieldPath } = validation;
      assert.match(message, /^\S.{4,}$/, at);
      assert.ok(message.length < 2048, at);
      if (fieldPath !== undefined) assert.ok(nodeAt(node, fieldPath), `${at} blames ${fieldPath}`);
      if (messageExpression === undefined) continue;
      assert.equal(celOf(node).check(messageExpression).type, 'string', at);
      // The size of string(number) is unknown to an API server, and what is added to it has no limit.
      assert.doesNotMatch(messageExpression, /string\(|' \+|\+ '(?!-')/, at);
    }
  });

  for (const [kind, root] of schemas) {
    it(`${kind}: no rule is dearer than an API server allows`, () => {
      let total = 0;
      for (const [at, node] of nodesOf(root)) {
        // A rule of the entries of a list is judged for each of them.
        const times = [...at.matchAll(/\[\]/g)]
          .map(({ index }) => nodeAt(root, at.slice(0, index))?.maxItems ?? Number.POSITIVE_INFINITY)
          .reduce((product, entries) => product * entries, 1);
        for (const { rule, messageExpression } of node['x-kubernetes-validations'] ?? []) {
          for (const expression of [rule, ...(messageExpression === undefined ? [] : [messageExpression])]) {
            const once = worstCost(expression, node);
            // The estimate is ours: stay well below.
            assert.ok(times * once < ruleCostLimit / 4, `${kind}${at}: ${times * once} for ${expression}`);
            assert.ok(once < callCostLimit / 4, `${kind}${at}: ${once} at once for ${expression}`);
            total += times * once;
          }
        }
      }
      assert.ok(total < totalCostLimit / 4, `${total}`);
      assert.ok(total < objectCostLimit, `${total} for the largest object`);
    });
  }

  it('that compare all entries of a long list with each other would be too dear', () => {
    const addresses = nodeAt(schemas.get('RealServer') ?? assert.fail(), '.spec.addresses');
    assert.ok(addresses);
    assert.ok(worstCost('self.all(a, self.exists_one(b, a == b))', addresses) > ruleCostLimit);
  });

  it('mirror every rule; what needs none is told by the type of a list', () => {
    for (const { kind, rules } of kindDescriptions) {
      for (const { name, cel } of rules) {
        if (cel.length === 0) assert.match(name, /^Duplicate/, `${kind} ${name}`);
      }
    }
  });
});

describe('the validator of structural schemas', () => {
  const bad: readonly [what: string, schema: object][] = [
    ['a node without type', { type: 'object', properties: { a: {} } }],
    ['a reference', { type: 'object', properties: { a: { $ref: '#/b', type: 'string' } } }],
    ['a union', { type: 'object', properties: { a: { type: 'string', anyOf: [] } } }],
    [
      'additionalProperties beside properties',
      { type: 'object', properties: {}, additionalProperties: { type: 'string' } },
    ],
    [
      'a list without items',
      { type: 'object', properties: { a: { type: 'array', 'x-kubernetes-list-type': 'atomic' } } },
    ],
    [
      'a repetition beyond 1000',
      { type: 'object', properties: { a: { type: 'string', pattern: '^x{0,1001}$' } } },
    ],
    ['a lookahead', { type: 'object', properties: { a: { type: 'string', pattern: '^(?!x)' } } }],
    [
      'a key that may be absent',
      {
        type: 'object',
        properties: {
          a: {
            type: 'array',
            items: { type: 'object', properties: { k: { type: 'string' } } },
            'x-kubernetes-list-type': 'map',
            'x-kubernetes-list-map-keys': ['k'],
          },
        },
      },
    ],
    [
      'words about metadata',
      { type: 'object', properties: { metadata: { type: 'object', description: 'Its name.' } } },
    ],
    ['a missing required field', { type: 'object', properties: {}, required: ['a'] }],
  ];
  for (const [what, schema] of bad) {
    it(`finds ${what}`, () => assert.equal(structuralViolations(schema).length, 1));
  }
});
