import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, it } from 'node:test';
import { metricGroups } from '../../src/metrics/index.ts';

const folder = path.resolve(import.meta.dirname, '../../charts/lvs-operator/files');
const histogramParts = ['_bucket', '_sum', '_count'];

/** Every name that a scrape can hold. */
const told = new Set(
  metricGroups.flatMap(({ metrics }) =>
    Object.entries(metrics).flatMap(([name, { type }]) =>
      type === 'histogram' ? histogramParts.map((part) => name + part) : [name],
    ),
  ),
);

const untold = (text: string): string[] =>
  [...text.matchAll(/\blvs_(?:director|controller|operator)_[a-z0-9_]+/g)]
    .map(([name]) => name)
    .filter((name) => !told.has(name));

describe('what alerts and dashboard ask for is told', () => {
  for (const file of ['alerts.yaml', 'dashboard.json']) {
    it(file, () => {
      const text = readFileSync(path.join(folder, file), 'utf8');
      assert.match(text, /lvs_director_/);
      assert.deepEqual(untold(text), []);
    });
  }

  it('a name that nobody tells is found', () => {
    assert.deepEqual(untold('rate(lvs_director_repairs_total[5m]) + lvs_director_ready'), [
      'lvs_director_repairs_total',
    ]);
  });
});
