import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { LineSplitter } from '../../src/kube/line-splitter.ts';

function split(bytes: Uint8Array, cuts: readonly number[], longestBytes = 1000): string[] {
  const splitter = new LineSplitter(longestBytes);
  const ends = [...cuts.map((cut) => Math.min(cut, bytes.length)), bytes.length].toSorted((a, b) => a - b);
  let start = 0;
  return ends.flatMap((end) => {
    // The same buffer every time, as a socket may do it: what is kept must be a copy.
    const chunk = Buffer.from(bytes.subarray(start, end));
    const lines = splitter.push(chunk);
    chunk.fill(0x21);
    start = end;
    return lines.map((line) => (line.kind === 'line' ? line.text : `overlong ${line.bytes}`));
  });
}

describe('line splitter', () => {
  it('gives the same lines wherever the chunks are cut, in the middle of a character too', () => {
    const line = fc.string({ unit: fc.constantFrom('a', '"', 'é', '漢', '🐧'), minLength: 1, maxLength: 20 });
    fc.assert(
      fc.property(fc.array(line), fc.array(fc.nat(400), { maxLength: 12 }), (lines, cuts) => {
        const bytes = Buffer.from(lines.map((text) => `${text}\n`).join(''));
        assert.deepEqual(split(bytes, cuts), lines);
      }),
    );
  });

  it('cut at every single byte', () => {
    const bytes = Buffer.from('{"name":"Łódź 🐧"}\n{"b":2}\n');
    const cuts = Array.from(bytes, (_, i) => i);
    assert.deepEqual(split(bytes, cuts), ['{"name":"Łódź 🐧"}', '{"b":2}']);
  });

  it('keeps back a line that has not ended, and says how much of it there is', () => {
    const splitter = new LineSplitter(100);
    assert.deepEqual(splitter.push(Buffer.from('whole\nhal')), [{ kind: 'line', text: 'whole' }]);
    assert.equal(splitter.pendingBytes, 3);
  });

  it('keeps only the length of a line that is too long, and goes on with the next', () => {
    const bytes = Buffer.from(`${'x'.repeat(50)}\nshort\n`);
    assert.deepEqual(split(bytes, [5, 17, 30], 20), ['overlong 50', 'short']);
  });

  it('holds no more than the limit while such a line goes on', () => {
    const splitter = new LineSplitter(1000);
    const chunk = new Uint8Array(64 * 1024).fill(0x78);
    const before = process.memoryUsage().arrayBuffers;
    for (let i = 0; i < 500; i++) splitter.push(chunk);
    assert.ok(process.memoryUsage().arrayBuffers - before < 4 * 1024 * 1024);
    assert.deepEqual(splitter.push(Buffer.from('\nnext\n')), [
      { kind: 'overlong', bytes: 500 * 64 * 1024 },
      { kind: 'line', text: 'next' },
    ]);
  });

  it('takes a line of exactly the limit, and leaves out empty ones', () => {
    assert.deepEqual(split(Buffer.from('\n12345\n\r\n123456\n'), [], 5), ['12345', 'overlong 6']);
  });
});
