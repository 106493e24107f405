import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, it } from 'node:test';
import { parse } from 'yaml';
import { kindReferences, parseDirectorConfiguration, parseResource } from '../../src/api/index.ts';
import { nodesOf } from './structural-schema.ts';

const text = readFileSync(path.join(import.meta.dirname, '../../docs/api.md'), 'utf8');
const chapters = new Map(
  text
    .split(/^## /m)
    .slice(1)
    .map((chapter) => [chapter.slice(0, chapter.indexOf('\n')), chapter] as const),
);

describe('docs/api.md', () => {
  it('has a chapter for every kind', () => {
    assert.deepEqual(
      [...chapters.keys()],
      kindReferences().map(({ kind }) => kind),
    );
  });

  for (const { kind, resource, schema, status, rules } of kindReferences()) {
    const chapter = chapters.get(kind) ?? '';

    it(`${kind}: every field has one row, with its meaning`, () => {
      const nodes = nodesOf(schema, resource === undefined ? '' : '.spec');
      if (status !== undefined) {
        // What a condition is made of is told once, for all kinds.
        nodes.push(...nodesOf(status, '.status').filter(([at]) => !at.startsWith('.status.conditions[]')));
      }
      const fields = nodes
        .map(([at]) => at.slice(1))
        .filter((at) => !/^(?:|spec|status|apiVersion|kind)$|(?:\[\]|\.\*)$/.test(at));
      const rows = [...chapter.matchAll(/^\| `([^`]+)` \|.*\| (\S.*) \|$/gm)];
      assert.deepEqual(
        rows.map((row) => row[1]),
        fields,
      );
    });

    it(`${kind}: every rule is told`, () => {
      const told = [...chapter.matchAll(/^- `(\w+)`: (.+)$/gm)].map((line) => line[1]);
      assert.deepEqual(
        told,
        rules.map(({ name }) => name),
      );
    });

    it(`${kind}: the examples are valid`, () => {
      const examples = [...chapter.matchAll(/```yaml\n(.*?)```/gs)].map(([, yaml = '']): unknown =>
        parse(yaml),
      );
      assert.ok(examples.length > 0);
      for (const value of examples) {
        const result = resource === undefined ? parseDirectorConfiguration(value) : parseResource(value);
        assert.ok(result.ok, JSON.stringify(result));
      }
    });
  }
});
