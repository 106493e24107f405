import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { PatternSearch, parsePattern } from '../../src/health/linear-pattern.ts';

function isFound(pattern: string, pieces: readonly string[]): boolean {
  const parsed = parsePattern(pattern);
  assert.ok(parsed.ok, parsed.ok ? '' : parsed.problem);
  const search = new PatternSearch(parsed.program);
  return pieces.some((piece) => search.push(Buffer.from(piece))) || search.end();
}

describe('a pattern', () => {
  const table: [pattern: string, text: string, isFound: boolean][] = [
    ['', '', true],
    ['ok', 'it is ok.', true],
    ['^ok$', 'ok', true],
    ['^ok$', 'ok\n', false],
    ['^$', '', true],
    ['a.c', 'a\nc', false],
    ['(?i)status: *up', 'STATUS:   Up', true],
    [String.raw`"ready"\s*:\s*true`, '{"ready" :  true}', true],
    [String.raw`v\d+\.\d+`, 'v1.x v12.7', true],
    ['x{3}', 'xx xxx', true],
    ['^x{2,3}$', 'xxxx', false],
    ['^x{0}y', 'y', true],
    ['[^a-z]', 'abc', false],
    ['[]a]', ']', true],
    ['[a-]', '-', true],
    ['grün|süß', 'süß', true],
    ['^(a|b|ab)*c$', 'abbaabc', true],
    ['(^a|b$)', 'ab', true],
    ['a|', 'zzz', true],
    [String.raw`\$\{x\}`, '${x}', true],
  ];
  for (const [pattern, text, expected] of table) {
    it(`${pattern === '' ? '(empty)' : pattern} in ${JSON.stringify(text)}`, () => {
      assert.equal(isFound(pattern, [text]), expected);
      assert.equal(isFound(pattern, Array.from(text)), expected, 'byte by byte');
    });
  }

  const refused: [pattern: string, problem: RegExp][] = [
    ['(a', /never closes/],
    ['a)', /opens nowhere/],
    ['[a', /ends in the middle/],
    ['*a', /nothing to repeat/],
    ['a**', /repeats a repetition/],
    ['a+?', /lazy/],
    ['^*', /repeats "\^"/],
    ['(?=a)', /kind that does not exist/],
    [String.raw`(a)\1`, /means nothing/],
    ['a{2', /no repetition/],
    ['a{3,2}', /ends before/],
    ['[z-a]', /range/],
    ['[ü]', /only ASCII/],
    ['(a{99}){99}', /too large/],
    ['('.repeat(60) + ')'.repeat(60), /nests/],
    ['a'.repeat(2000), /longer/],
    ['a\\', /ends in the middle/],
  ];
  for (const [pattern, problem] of refused) {
    it(`refuses ${pattern.slice(0, 20)}`, () => {
      const parsed = parsePattern(pattern);
      assert.match(parsed.ok ? 'accepted' : parsed.problem, problem);
    });
  }

  it('finds what V8 finds', () => {
    const atom = fc.constantFrom('a', 'b', '.', '[ab]', '[^b]', 'a|b', '', '^', '$');
    const pattern = fc.letrec<{ node: string }>((tie) => ({
      node: fc.oneof(
        { maxDepth: 4 },
        atom,
        fc
          .tuple(tie('node'), fc.constantFrom('*', '+', '?', '{2}', '{1,3}'))
          .map(([node, suffix]) => `(?:${node})${suffix}`),
        fc.tuple(tie('node'), tie('node')).map(([a, b]) => a + b),
        fc.tuple(tie('node'), tie('node')).map(([a, b]) => `(${a}|${b})`),
      ),
    })).node;
    const text = fc.string({ unit: fc.constantFrom('a', 'b', 'c', '\n'), maxLength: 12 });
    fc.assert(
      fc.property(pattern, text, (source, subject) => {
        const parsed = parsePattern(source);
        if (!parsed.ok) return;
        assert.equal(isFound(source, [subject]), new RegExp(source).test(subject));
      }),
      { numRuns: 2000 },
    );
  });

  it('never throws, whatever it is given', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 60 }), (source) => void parsePattern(source)),
      { numRuns: 5000 },
    );
  });

  it('(a+)+$ and its like cost linear time on 64 KiB', () => {
    const text = Buffer.from(`${'a'.repeat(65_535)}b`);
    for (const pattern of ['(a+)+$', '(a|a)+$', '(.*)(.*)(.*)=', '(a|b)*b(a|b){20}$']) {
      const parsed = parsePattern(pattern);
      assert.ok(parsed.ok);
      const search = new PatternSearch(parsed.program);
      const start = performance.now();
      assert.equal(search.push(text) || search.end(), false);
      // A backtracking engine needs longer than the universe has; the limit leaves room for a slow machine.
      assert.ok(performance.now() - start < 1000, pattern);
    }
  });
});
