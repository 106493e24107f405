import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, it } from 'node:test';
import { parse } from 'yaml';
import { weightMetricsSources, weightPolicySchema, weightPolicyTypes } from '../../src/api/weight-policy.ts';
import { weightReasons } from '../../src/weight/verdict.ts';

const root = path.resolve(import.meta.dirname, '../..');
const page = readFileSync(path.join(root, 'docs/weights.md'), 'utf8');
const blocks = [...page.matchAll(/```yaml\n([\s\S]*?)```/g)].map(([, text = '']) => text);

describe('docs/weights.md', () => {
  it('explains every reason, in the words of the code', () => {
    for (const [reason, words] of Object.entries(weightReasons))
      assert.match(page, new RegExp(`^\\| \`${reason}\` +\\| ${words} +\\|$`, 'm'), reason);
  });

  it('lists every type and every source', () => {
    for (const word of [...weightPolicyTypes, ...weightMetricsSources])
      assert.match(page, new RegExp(`^\\| \`${word}\` +\\|`, 'm'), word);
  });

  it('shows policies that are valid', () => {
    const policies = blocks.map((text) => {
      const { spec, weightPolicy } = parse(text) as {
        spec?: { weightPolicy: unknown };
        weightPolicy?: unknown;
      };
      return spec?.weightPolicy ?? weightPolicy;
    });
    assert.equal(policies.length, 3);
    for (const policy of policies) assert.ok(weightPolicySchema.parse(policy));
  });

  it('has no example without a source of metrics', () => {
    const examples = readFileSync(path.join(root, 'examples-cluster/weights.yaml'), 'utf8');
    for (const source of weightMetricsSources) assert.ok(examples.includes(`source: ${source}\n`), source);
  });
});
