import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { assert as assertOurs, unreachable } from '../../src/base/index.ts';

describe('our own mistakes', () => {
  it('pass in silence where there is none', () => assertOurs(true, 'never seen'));

  it('are called bugs, so that people report them', () => {
    assert.throws(
      () => assertOurs(false, 'weight below zero'),
      /^Error: bug in lvs-operator: weight below zero$/,
    );
  });

  it('show the value that slipped through an exhaustive switch', () => {
    assert.throws(() => unreachable({ type: 'odd' } as never), /unexpected value \{"type":"odd"\}/);
  });
});
