import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { defaultDirectorConfiguration } from '../../src/api/index.ts';
import { isLvsError } from '../../src/base/index.ts';
import { readDirectorConfiguration } from '../../src/manifests/index.ts';
import { temporaryFolder } from './temporary-folder.ts';

const head = 'apiVersion: networking.lvs-operator.io/v1alpha1\nkind: DirectorConfiguration\n';

describe('readDirectorConfiguration', () => {
  it('reads a file', () => {
    using folder = temporaryFolder({ 'c.yaml': `${head}netfilter: Off\n` });
    assert.deepEqual(readDirectorConfiguration(join(folder.path, 'c.yaml')), {
      ...defaultDirectorConfiguration(),
      netfilter: 'Off',
    });
  });

  const bad: readonly [what: string, content: string, message: string][] = [
    ['an empty file', '', 'c.yaml:1:1: the file is empty; leave the option away for the defaults'],
    [
      'a misspelt field',
      `${head}netfiltr: Off\n`,
      'c.yaml:3:1: netfiltr is not a field here; did you mean "netfilter"?',
    ],
    [
      'two mistakes',
      `${head}sysctls: no\ntimeouts:\n  udpSeconds: 0\n`,
      'c.yaml:5:3: timeouts.udpSeconds must be a whole number from 1 to 604800, not 0\nc.yaml:3:1: ' +
        'sysctls must be one of Manage, Report, not "no" (in YAML 1.2 only false is false)',
    ],
    [
      'a tab',
      `${head}timeouts:\n\tudpSeconds: 1\n`,
      'c.yaml:4:1: a tab is used as indentation; YAML allows only spaces there',
    ],
    ['two documents', `${head}---\n${head}`, 'c.yaml:1:1: holds 2 documents; a configuration is one'],
  ];
  for (const [what, content, message] of bad) {
    it(`refuses ${what}`, () => {
      using folder = temporaryFolder({ 'c.yaml': content });
      assert.throws(
        () => readDirectorConfiguration(join(folder.path, 'c.yaml')),
        (error) => {
          assert.ok(isLvsError(error, 'LVS_CONFIG_INVALID'));
          assert.equal(error.message.replaceAll(`${folder.path}/`, ''), message);
          return true;
        },
      );
    });
  }

  it('refuses a file that does not exist', () => {
    assert.throws(
      () => readDirectorConfiguration('/nonexistent/c.yaml'),
      /\/nonexistent\/c\.yaml:1:1: does not exist/,
    );
  });
});
