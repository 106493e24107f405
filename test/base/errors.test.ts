import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { errorCodes, formatErrorForPeople, isLvsError, LvsError } from '../../src/base/index.ts';

describe('LvsError', () => {
  const cause = new Error('below');
  const error = new LvsError('LVS_KERNEL_REFUSED', 'The kernel refused to add 10.0.0.1:80: EINVAL.', {
    cause,
    operation: 'IPVS_CMD_NEW_DEST',
    errno: 22,
    kernelMessage: 'Invalid argument',
    subject: '10.0.0.1:80',
    hint: 'Is the loopback interface up?',
  });

  it('carries a code for programs and fields that say where', () => {
    assert.equal(error.name, 'LvsError');
    assert.equal(error.code, 'LVS_KERNEL_REFUSED');
    assert.equal(error.operation, 'IPVS_CMD_NEW_DEST');
    assert.equal(error.errno, 22);
    assert.equal(error.kernelMessage, 'Invalid argument');
    assert.equal(error.subject, '10.0.0.1:80');
    assert.equal(error.cause, cause);
  });

  it('has no cause at all where none was given', () => {
    assert.equal('cause' in new LvsError('LVS_LINK_MISSING', 'No eth9.'), false);
  });

  it('is told from other errors, by its code if wanted', () => {
    assert.equal(isLvsError(error), true);
    assert.equal(isLvsError(error, 'LVS_KERNEL_REFUSED'), true);
    assert.equal(isLvsError(error, 'LVS_LINK_MISSING'), false);
    assert.equal(isLvsError(cause), false);
    assert.equal(isLvsError({ code: 'LVS_KERNEL_REFUSED', message: 'a copy' }), false);
  });
});

describe('formatErrorForPeople', () => {
  const table: [scenario: string, error: unknown, line: string][] = [
    ['a message', new LvsError('LVS_LINK_MISSING', 'No eth9 here.'), 'No eth9 here.'],
    [
      'a message and a hint',
      new LvsError('LVS_LINK_MISSING', 'No eth9.', { hint: 'Name another.' }),
      'No eth9. Name another.',
    ],
    ['an error of someone else', new TypeError('odd'), 'odd'],
    ['no error at all', 'text', 'text'],
    ['nothing', undefined, 'undefined'],
  ];
  for (const [scenario, error, line] of table) {
    it(scenario, () => assert.equal(formatErrorForPeople(error), line));
  }
});

describe('the registry', () => {
  for (const [code, meaning] of Object.entries(errorCodes)) {
    it(`${code} is well formed and means one sentence or two`, () => {
      assert.match(code, /^LVS_[A-Z]+(?:_[A-Z]+)*$/);
      assert.match(meaning, /^[A-Z/].{10,160}\.$/);
      assert.doesNotMatch(meaning, /[|\n]/, 'it stands in a table of docs/errors.md');
    });
  }
});
