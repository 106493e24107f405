import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { findComputedImports, findFunctions, findImports, parseSource } from './source-text.ts';

describe('what is code and what is not', () => {
  const table: [name: string, text: string, code: string][] = [
    ['line comment', 'a; // b', 'a;     '],
    ['block comment over two lines', 'a /* b\nc */ d', 'a     \n     d'],
    ['string with an escaped quote', String.raw`f('it\'s // no', 1)`, "f('           ', 1)"],
    ['template with code inside', '`a ${b(`c`)} d` + e', '`    b(` `)   ` + e'],
    ['braces inside a template expression', '`${{ a: 1 }.a}`;', '`  { a: 1 }.a `;'],
    ['regular expression with a quote', `x = /['"/]/g;`, 'x = /     /g;'],
    ['division is not a regular expression', "a / b / 'c'", "a / b / ' '"],
    ['slash after return', "return /'/;", 'return / /;'],
    ['shebang', '#!/usr/bin/env node\na', '                   \na'],
  ];
  for (const [name, text, code] of table) {
    it(name, () => assert.equal(parseSource('x.ts', text).code, code));
  }
});

describe('imports', () => {
  const table: [text: string, specifier: string, isTypeOnly: boolean][] = [
    ["import { a } from './a.ts';", './a.ts', false],
    ["import {\n  a,\n  type B,\n} from './a.ts';", './a.ts', false],
    ["import type { A } from './a.ts';", './a.ts', true],
    ["import { type A, type B } from './a.ts';", './a.ts', true],
    ["import type from './type.ts';", './type.ts', true],
    ["import a, * as b from 'pkg';", 'pkg', false],
    ["export { a } from './a.ts';", './a.ts', false],
    ["export type { A } from './a.ts';", './a.ts', true],
    ["export * from './a.ts';", './a.ts', false],
    ["import './effect.ts';", './effect.ts', false],
    ["const a = await import('./lazy.ts');", './lazy.ts', false],
    ["const a = require('koffi');", 'koffi', false],
    ["type A = import('./a.ts').A;", './a.ts', false],
  ];
  for (const [text, specifier, isTypeOnly] of table) {
    it(JSON.stringify(text), () => {
      const [found, ...others] = findImports(parseSource('x.ts', text));
      assert.deepEqual([found?.specifier, found?.isTypeOnly, others], [specifier, isTypeOnly, []]);
    });
  }

  it('are not found in comments, strings or ordinary calls', () => {
    const text = `// import 'a';\nconst b = "import 'c'";\nArray.from('d');\nconst o = { from: 'e' };\nimport.meta.url;`;
    assert.deepEqual(findImports(parseSource('x.ts', text)), []);
  });

  it('with a computed name are told by line', () => {
    const text = "await import('./a.ts');\nawait import(name);\nrequire(`x`);\nvalidator.require(x);";
    assert.deepEqual(findComputedImports(parseSource('x.ts', text)), [2]);
  });
});

describe('functions', () => {
  const table: [text: string, found: [name: string, lines: number][]][] = [
    ['function f(a: { b: string }): { c: 1 } {\n}', [['f', 2]]],
    ['const f = async ({ a }: A): Promise<void> => {\n\n};', [['f', 3]]],
    ['class A {\n  get b(): string {\n    return 1;\n  }\n}', [['b', 3]]],
    ['if (a) {\n} else {\n}\nfor (const b of c) {\n}\nswitch (d) {\n}', []],
    ['run(() => {\n});', [['(arrow)', 2]]],
    ['const a = { b: 1 };', []],
  ];
  for (const [text, expected] of table) {
    it(JSON.stringify(text), () => {
      const found = findFunctions(parseSource('x.ts', text)).map((f) => [f.name, f.lines]);
      assert.deepEqual(found, expected);
    });
  }
});
