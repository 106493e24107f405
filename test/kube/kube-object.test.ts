import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  apiVersionOf,
  objectKey,
  parseObjectKey,
  readStoredMeta,
  resourcePath,
} from '../../src/kube/index.ts';
import type { ResourceType } from '../../src/kube/index.ts';
import { widgetType } from './objects.ts';

const nodeType: ResourceType = {
  group: '',
  version: 'v1',
  plural: 'nodes',
  kind: 'Node',
  isNamespaced: false,
};

describe('paths', () => {
  const table: [type: ResourceType, options: Parameters<typeof resourcePath>[1], path: string][] = [
    [widgetType, {}, '/apis/example.org/v1/widgets'],
    [widgetType, { namespace: 'shop' }, '/apis/example.org/v1/namespaces/shop/widgets'],
    [widgetType, { namespace: 'shop', name: 'a' }, '/apis/example.org/v1/namespaces/shop/widgets/a'],
    [
      widgetType,
      { namespace: 'shop', name: 'a', subresource: 'status' },
      '/apis/example.org/v1/namespaces/shop/widgets/a/status',
    ],
    [nodeType, { name: 'n1' }, '/api/v1/nodes/n1'],
    [nodeType, { namespace: 'ignored', name: 'n1' }, '/api/v1/nodes/n1'],
    [
      widgetType,
      { namespace: '../..', name: 'a/b?c' },
      '/apis/example.org/v1/namespaces/..%2F../widgets/a%2Fb%3Fc',
    ],
  ];
  for (const [type, options, path] of table) {
    it(path, () => assert.equal(resourcePath(type, options), path));
  }

  it('versions with and without a group', () => {
    assert.deepEqual([apiVersionOf(widgetType), apiVersionOf(nodeType)], ['example.org/v1', 'v1']);
  });
});

describe('keys', () => {
  it('name an object in a namespace or in the cluster, and are read back', () => {
    for (const [name, key] of [
      [{ namespace: 'shop', name: 'a' }, 'shop/a'],
      [{ name: 'n1' }, 'n1'],
    ] as const) {
      assert.equal(objectKey(name), key);
      assert.deepEqual(parseObjectKey(key), name);
    }
  });
});

describe('metadata from the API server', () => {
  const whole = { name: 'a', namespace: 'shop', uid: 'u', resourceVersion: '1', labels: { x: 'y' } };

  it('is taken whole', () => assert.deepEqual(readStoredMeta({ metadata: whole }), whole));

  const refused: unknown[] = [
    undefined,
    null,
    'text',
    [],
    {},
    { metadata: null },
    { metadata: { ...whole, name: undefined } },
    { metadata: { ...whole, name: '' } },
    { metadata: { ...whole, uid: 7 } },
    { metadata: { ...whole, resourceVersion: '' } },
    { metadata: { ...whole, namespace: 3 } },
  ];
  for (const value of refused) {
    it(`is not ${JSON.stringify(value)}`, () => assert.equal(readStoredMeta(value), undefined));
  }
});
