import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseResource } from '../../src/api/index.ts';
import { virtualService } from './objects.ts';
import { refusals } from './refusal-table.ts';

function problemsOf(value: unknown): readonly string[] {
  const result = parseResource(value);
  assert.equal(result.ok, false, 'should have been refused');
  return result.ok ? [] : result.problems.map(({ reason, message }) => `${reason}: ${message}`);
}

describe('parseResource refuses what one object can get wrong', () => {
  for (const [what, value, ...expected] of refusals) {
    it(what, () => {
      assert.deepEqual(problemsOf(value), expected);
    });
  }

  it('tells all problems at once', () => {
    const problems = problemsOf(
      virtualService({ scheduler: 'x', onePacket: 1, ports: [{ port: 0, nam: 'a' }] }),
    );
    assert.equal(problems.length, 4, problems.join('\n'));
  });
});
