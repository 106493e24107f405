import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { positionOfOffset } from '../../src/manifests/position.ts';
import { splitDocuments } from '../../src/manifests/split-documents.ts';
import { parseYaml } from '../../src/manifests/yaml.ts';

/** Lines of which some look like document marks and are none, and some begin text that could swallow one. */
const line = fc.constantFrom(
  '---',
  '--- ',
  '--- # x',
  '---x',
  ' ---',
  '...',
  '# ---',
  'a: 1',
  '- b',
  'note: |',
  '  text',
  '',
  '- "c"',
);
const text = fc.array(line, { maxLength: 20 }).map((lines) => lines.join('\n'));

describe('splitDocuments', () => {
  it('loses nothing and counts lines right', () => {
    fc.assert(
      fc.property(text, (whole) => {
        const pieces = splitDocuments(whole);
        assert.equal(pieces.map((piece) => piece.text).join(''), whole);
        let offset = 0;
        for (const piece of pieces) {
          assert.equal(piece.firstLine, positionOfOffset(whole, offset, 1).line);
          offset += piece.text.length;
        }
      }),
    );
  });

  it('gives the same values, piece by piece, as the parser gives for the whole', () => {
    let valid = 0;
    fc.assert(
      fc.property(text, (whole) => {
        const documents = parseYaml(whole);
        if (documents.some(({ problems }) => problems.length > 0)) return;
        valid++;
        const pieces = splitDocuments(whole).flatMap((piece) => parseYaml(piece.text));
        assert.deepEqual(pieces, documents);
      }),
      { numRuns: 1000 },
    );
    assert.ok(valid > 50, `only ${valid} of the texts were valid`);
  });

  const table: readonly [what: string, whole: string, firstLines: readonly number[]][] = [
    ['one document', 'a: 1\n', [1]],
    ['a mark at the end', 'a: 1\n---', [1, 2]],
    ['a mark at the beginning', '---\na: 1\n---\nb: 2\n', [1, 3]],
    ['Windows line ends', 'a: 1\r\n---\r\nb: 2\r\n', [1, 2]],
    ['a word that begins with three dashes', 'a: 1\n---b\n', [1]],
    ['a directive keeps the file whole', '%YAML 1.2\n---\na: 1\n---\nb: 2\n', [1]],
  ];
  for (const [what, whole, firstLines] of table) {
    it(what, () =>
      assert.deepEqual(
        splitDocuments(whole).map((piece) => piece.firstLine),
        firstLines,
      ),
    );
  }
});
