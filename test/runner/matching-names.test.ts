import assert from 'node:assert/strict';
import path from 'node:path';
import { describe, it } from 'node:test';
import { temporaryFolder } from '../manifests/temporary-folder.ts';
import { hasMatchingName } from './matching-names.ts';

const text = `
import { after, before, describe, it } from 'node:test';
before(() => { throw new Error('a hook runs'); });
after(() => { throw new Error('a hook runs'); });
describe('a director', () => {
  for (const what of ['drains', 'dies']) it(what, { timeout: 5 }, () => { throw new Error('a test runs'); });
});
// votes
describe('a host', () => { it('lacks'); });
`;

describe('whether a file has a test of a name', () => {
  const scenarios: [scenario: string, pattern: string, expected: boolean][] = [
    ['a name from a table', 'dies', true],
    ['a suite', 'a dir', true],
    ['a suite and its test', 'director drains', true],
    ['a test of another suite', 'director lacks', false],
    ['what only a comment says', 'votes', false],
  ];
  for (const [scenario, pattern, expected] of scenarios) {
    it(scenario, async () => {
      using folder = temporaryFolder({ 'a.test.mjs': text });
      assert.equal(await hasMatchingName(path.join(folder.path, 'a.test.mjs'), pattern), expected);
    });
  }

  it('is yes where the file does not load, so that its run tells why', async () => {
    using folder = temporaryFolder({ 'a.test.mjs': "throw new Error('broken');" });
    assert.equal(await hasMatchingName(path.join(folder.path, 'a.test.mjs'), 'dies'), true);
  });
});
