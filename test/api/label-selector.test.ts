import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { isNamespaceAdmitted, matchesLabels, parseResource } from '../../src/api/index.ts';
import type { LabelSelector } from '../../src/api/index.ts';
import { addressPool } from './objects.ts';

const shop = { app: 'shop', track: 'canary' };

describe('matchesLabels', () => {
  const table: readonly [
    what: string,
    selector: LabelSelector,
    labels: Record<string, string>,
    is: boolean,
  ][] = [
    ['an empty selector chooses everything', {}, {}, true],
    ['so does one of empty parts', { matchLabels: {}, matchExpressions: [] }, shop, true],
    ['a label with its value', { matchLabels: { app: 'shop' } }, shop, true],
    ['a label with another value', { matchLabels: { app: 'web' } }, shop, false],
    ['a label that is absent', { matchLabels: { tier: 'front' } }, shop, false],
    ['a label with an empty value is not absent', { matchLabels: { app: '' } }, {}, false],
    ['all labels must be there', { matchLabels: { app: 'shop', track: 'stable' } }, shop, false],
    ['In', { matchExpressions: [{ key: 'track', operator: 'In', values: ['a', 'canary'] }] }, shop, true],
    ['In of others', { matchExpressions: [{ key: 'track', operator: 'In', values: ['a'] }] }, shop, false],
    ['In of what is absent', { matchExpressions: [{ key: 'x', operator: 'In', values: [''] }] }, shop, false],
    ['NotIn', { matchExpressions: [{ key: 'track', operator: 'NotIn', values: ['a'] }] }, shop, true],
    [
      'NotIn of its own',
      { matchExpressions: [{ key: 'track', operator: 'NotIn', values: ['canary'] }] },
      shop,
      false,
    ],
    [
      'NotIn of what is absent',
      { matchExpressions: [{ key: 'x', operator: 'NotIn', values: ['a'] }] },
      shop,
      true,
    ],
    ['Exists', { matchExpressions: [{ key: 'app', operator: 'Exists' }] }, shop, true],
    ['Exists without value', { matchExpressions: [{ key: 'app', operator: 'Exists' }] }, { app: '' }, true],
    ['Exists of what is absent', { matchExpressions: [{ key: 'x', operator: 'Exists' }] }, shop, false],
    ['DoesNotExist', { matchExpressions: [{ key: 'x', operator: 'DoesNotExist' }] }, shop, true],
    ['DoesNotExist of one', { matchExpressions: [{ key: 'app', operator: 'DoesNotExist' }] }, shop, false],
    [
      'labels and expressions together',
      { matchLabels: { app: 'shop' }, matchExpressions: [{ key: 'track', operator: 'DoesNotExist' }] },
      shop,
      false,
    ],
    ['a name that every object inherits', { matchLabels: { constructor: 'x' } }, shop, false],
    [
      'a name that every object inherits, which is no label',
      { matchExpressions: [{ key: 'toString', operator: 'DoesNotExist' }] },
      shop,
      true,
    ],
  ];
  for (const [what, selector, labels, is] of table) {
    it(`${what}: ${is}`, () => assert.equal(matchesLabels(selector, labels), is));
  }

  it('an operator and its opposite never agree', () => {
    const words = fc.constantFrom('a', 'b', 'c');
    fc.assert(
      fc.property(words, fc.array(words), fc.dictionary(words, words), (key, values, labels) => {
        const ask = (operator: 'In' | 'NotIn' | 'Exists' | 'DoesNotExist') =>
          matchesLabels({ matchExpressions: [{ key, operator, values }] }, labels);
        assert.notEqual(ask('In'), ask('NotIn'));
        assert.notEqual(ask('Exists'), ask('DoesNotExist'));
      }),
    );
  });
});

describe('isNamespaceAdmitted', () => {
  const bySelector = { namespaceSelector: { matchLabels: { tenant: 'shop' } } };
  const table: readonly [
    spec: object,
    namespace: string,
    labels: Record<string, string> | undefined,
    is: boolean,
  ][] = [
    [{ namespaces: [] }, 'default', {}, false],
    [{ namespaces: ['default'] }, 'default', undefined, true],
    [{ namespaces: ['default'] }, 'shop', { tenant: 'shop' }, false],
    [{ namespaces: ['*'] }, 'shop', undefined, true],
    [bySelector, 'shop', { tenant: 'shop' }, true],
    [bySelector, 'shop', { tenant: 'web' }, false],
    [bySelector, 'shop', {}, false],
    [bySelector, 'shop', undefined, false],
    [{ ...bySelector, namespaces: ['web'] }, 'web', {}, true],
    [{ namespaceSelector: {} }, 'shop', {}, true],
    [{ namespaceSelector: {} }, 'shop', undefined, false],
  ];
  for (const [spec, namespace, labels, is] of table) {
    it(`${namespace} with ${JSON.stringify(labels)} by ${JSON.stringify(spec)}: ${is}`, () => {
      const result = parseResource(addressPool(spec));
      assert.ok(result.ok && result.resource.kind === 'AddressPool');
      assert.equal(isNamespaceAdmitted(result.resource.spec, namespace, labels), is);
    });
  }
});
