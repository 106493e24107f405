import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, it } from 'node:test';
import { parse } from 'yaml';
import { healthCheckSchema, healthCheckTypes } from '../../src/api/health-check.ts';
import { failureReasons, voidReasons } from '../../src/health/index.ts';

const root = path.resolve(import.meta.dirname, '../..');
const page = readFileSync(path.join(root, 'docs/health.md'), 'utf8');
const firstCells = new Set(
  [...page.matchAll(/^\| (.+?) \|/gm)].flatMap(([, cell = '']) =>
    [...cell.matchAll(/`([^`]+)`/g)].map(([, word]) => word),
  ),
);

describe('docs/health.md', () => {
  it('explains every reason, in the words of the code', () => {
    for (const [reason, words] of Object.entries({ ...failureReasons, ...voidReasons }))
      assert.ok(page.includes(`| \`${reason}\` | ${words} |`), reason);
  });

  it('lists every type of check', () => {
    for (const type of healthCheckTypes) assert.ok(firstCells.has(type), type);
  });

  it('shows checks that are valid, with the defaults that it says', () => {
    const [first = ''] = page.split('```yaml')[1]?.split('```') ?? [];
    const { spec } = parse(first) as { spec: { healthCheck: object } };
    const { http, ...rest } = healthCheckSchema.parse(spec.healthCheck);
    assert.ok(http);
    const defaults = healthCheckSchema.parse({ tcp: {} });
    for (const field of Object.keys(spec.healthCheck).filter((name) => name !== 'http'))
      assert.equal(Reflect.get(rest, field), Reflect.get(defaults, field), field);
  });

  it('names alerts of the chart', () => {
    const alerts = readFileSync(path.join(root, 'charts/lvs-operator/files/alerts.yaml'), 'utf8');
    const named = [...page.matchAll(/`(Lvs[A-Za-z]+)`/g)].map(([, name = '']) => name);
    assert.ok(named.length >= 5);
    for (const name of named) assert.ok(alerts.includes(`- alert: ${name}\n`), name);
  });
});
