import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { isLvsError } from '../../src/base/index.ts';
import { isLoopback, parseListenAddress } from '../../src/endpoint/index.ts';

describe('an address to listen on', () => {
  for (const [text, host, port, isLocal] of [
    ['127.0.0.1:9441', '127.0.0.1', 9441, true],
    ['127.8.8.8:1', '127.8.8.8', 1, true],
    ['[::1]:65535', '::1', 65535, true],
    [':9441', undefined, 9441, false],
    ['0.0.0.0:80', '0.0.0.0', 80, false],
    ['[2001:db8::1]:80', '2001:db8::1', 80, false],
  ] as const) {
    it(`is ${text}`, () => {
      const address = parseListenAddress(text);
      assert.deepEqual(address, { host, port });
      assert.equal(isLoopback({ host: address?.host }), isLocal);
    });
  }

  it('is none when off', () => assert.equal(parseListenAddress('off'), undefined));

  for (const text of [
    '',
    '9441',
    'localhost:9441',
    '::1:9441',
    '127.0.0.1',
    '127.0.0.1:',
    '127.0.0.1:0',
    '127.0.0.1:65536',
    '[127.0.0.1]:80',
    '[]:80',
    '127.0.0.1:80 ',
    'Off',
  ]) {
    it(`is not "${text}"`, () => {
      assert.throws(
        () => parseListenAddress(text),
        (error) => isLvsError(error, 'LVS_CONFIG_INVALID') && error.message.includes(`"${text}"`),
      );
    });
  }
});
