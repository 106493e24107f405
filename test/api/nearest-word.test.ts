import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { nearestWord } from '../../src/api/nearest-word.ts';

const fields = [
  'addresses',
  'ports',
  'port',
  'portGrouping',
  'scheduler',
  'schedulerFlags',
  'forwarding',
  'weight',
];

describe('nearestWord', () => {
  const table: readonly [written: string, meant: string | undefined][] = [
    ['schedular', 'scheduler'],
    ['Scheduler', 'scheduler'],
    ['adresses', 'addresses'],
    ['prots', 'ports'],
    ['prot', 'port'],
    ['forwardng', 'forwarding'],
    ['wieght', 'weight'],
    ['schedulerflag', 'schedulerFlags'],
    ['replicas', undefined],
    ['', undefined],
    ['x'.repeat(1e6), undefined],
  ];
  for (const [written, meant] of table) {
    it(`${written.slice(0, 20)} → ${meant}`, () => assert.equal(nearestWord(written, fields), meant));
  }

  it('finds a known word itself, and one with a letter doubled', () => {
    fc.assert(
      fc.property(fc.constantFrom(...fields), fc.nat(), (word, seed) => {
        const at = seed % word.length;
        assert.equal(nearestWord(word, fields), word);
        assert.equal(nearestWord(word.slice(0, at) + (word[at] ?? '') + word.slice(at), ['zzz', word]), word);
      }),
    );
  });
});
