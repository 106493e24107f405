import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { plain } from '../../tools/build.ts';
import { productFile } from './run-product.ts';

describe('the bundle', () => {
  it('is ASCII as a whole, so that V8 keeps a byte for each letter', async () => {
    const bytes = readFileSync(await productFile());
    assert.equal(
      bytes.findIndex((byte) => byte > 0x7f),
      -1,
    );
  });

  it('takes Node.js modules by require: an import of node:http would load fetch and WebSocket, too', async () => {
    const text = readFileSync(await productFile(), 'latin1');
    const imports = [...text.matchAll(/^import .* from "(.*)";$/gm)].map(([, name]) => name);
    assert.deepEqual(
      imports.filter((name) => name !== 'koffi' && name !== 'node:module'),
      [],
    );
  });

  it('means the same with letters escaped, also those of two units in a regular expression', () => {
    // oxlint-disable-next-line typescript/no-implied-eval -- a text that is made plain has to be run
    const run = (text: string): unknown => new Function(`return ${text}`)();
    for (const text of ['/^[µ🐟]+$/u.test("µ🐟" /* ± */)', '"a" + "ü"', '/ü|é/.exec("café")[0]'])
      assert.equal(run(plain(text)), run(text), text);
  });
});
