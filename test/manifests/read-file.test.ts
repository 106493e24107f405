import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { decodeText, readTextFile } from '../../src/manifests/read-file.ts';
import { temporaryFolder } from './temporary-folder.ts';

/** Code points of one to three bytes, and a surrogate pair now and then. */
const codePoint = fc.oneof(fc.integer({ min: 1, max: 0xd7ff }), fc.integer({ min: 0x10000, max: 0x10ffff }));
const anyText = fc.array(codePoint).map((points) => String.fromCodePoint(...points));

describe('decodeText', () => {
  it('gives back every text that has no zero byte', () => {
    fc.assert(
      fc.property(anyText, (text) => {
        fc.pre(!text.startsWith('\ufeff'));
        assert.deepEqual(decodeText(new TextEncoder().encode(text)), { ok: true, text });
      }),
    );
  });

  it('finds the first byte that is not UTF-8', () => {
    fc.assert(
      fc.property(fc.stringMatching(/^[aäδ\n]*$/), fc.stringMatching(/^[aä]*$/), (before, after) => {
        const head = Buffer.from(before);
        const decoded = decodeText(Buffer.concat([head, Uint8Array.of(0xff), Buffer.from(after)]));
        assert.ok(!decoded.ok);
        assert.equal(decoded.line, before.split('\n').length);
        assert.equal(decoded.column, head.length - (head.lastIndexOf(0x0a) + 1) + 1);
      }),
    );
  });
});

describe('readTextFile says in words why it cannot read', () => {
  it('a file that does not exist', () => {
    assert.deepEqual(readTextFile('/nonexistent/a.yaml'), {
      ok: false,
      message: 'does not exist (or is a link to nowhere)',
      line: 1,
      column: 1,
    });
  });

  it('a folder', () => {
    using folder = temporaryFolder();
    assert.equal(messageOf(folder.path), 'is a folder, not a file');
  });

  it('a pipe, without waiting for a writer', () => {
    using folder = temporaryFolder();
    execFileSync('mkfifo', [join(folder.path, 'a.yaml')]);
    assert.equal(messageOf(join(folder.path, 'a.yaml')), 'not a regular file');
  });

  it('a link that leads to itself', () => {
    using folder = temporaryFolder();
    symlinkSync('a.yaml', join(folder.path, 'a.yaml'));
    assert.equal(messageOf(join(folder.path, 'a.yaml')), 'is a link that leads to itself');
  });
});

function messageOf(path: string): string {
  const read = readTextFile(path);
  return read.ok ? 'readable' : read.message;
}
