import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, it } from 'node:test';
import { errorCodes } from '../src/base/index.ts';
import { computeGeneratedFiles, findStaleFiles } from '../tools/generate.ts';
import { parseSource, projectRoot, readSources } from './source/source-text.ts';
import { findDoorViolations, findSourceViolations, findTextViolations } from './source/tidy.ts';

const doorless = new Set(['cli']);

describe('tidy', () => {
  const sources = readSources('src');

  it('text files hold no postponed work, registry, machine path or unfinished merge', () => {
    const files = globSync('**/*', {
      cwd: projectRoot,
      withFileTypes: true,
      exclude: (entry) => /^(?:node_modules|\.git|dist|build)$/.test(entry.name),
    }).filter((entry) => entry.isFile() && /\.(?:ts|mjs|json|ya?ml|md|sh|hex|conf)$|^run$/.test(entry.name));
    assert.ok(files.length > 20);
    const violations = files.flatMap((entry) => {
      const file = path.join(entry.parentPath, entry.name);
      return findTextViolations(path.relative(projectRoot, file), readFileSync(file, 'utf8'));
    });
    assert.deepEqual(violations, []);
  });

  it('TypeScript files are small, run all of their tests and take time as an argument', () => {
    const all = [...sources, ...readSources('test', 'tools', 'demo', 'bench')];
    assert.deepEqual(all.flatMap(findSourceViolations), []);
  });

  it('every room has a door that says what it owns', () => {
    const files = new Set(sources.map((source) => source.file));
    const rooms = new Set([...files].map((file) => file.split('/')[1] ?? ''));
    const missing = [...rooms].filter((room) => !doorless.has(room) && !files.has(`src/${room}/index.ts`));
    assert.deepEqual(missing, []);
    const doors = sources.filter((source) => /^src\/[^/]+\/(?:index|pure)\.ts$/.test(source.file));
    assert.deepEqual(doors.flatMap(findDoorViolations), []);
  });

  it('every error code is raised somewhere', () => {
    const text = sources
      .filter((source) => source.file !== 'src/base/errors.ts')
      .map((source) => source.text)
      .join('\n');
    const unused = Object.keys(errorCodes).filter((code) => !text.includes(`'${code}'`));
    assert.deepEqual(unused, []);
  });

  it('generated files equal the code', async () => {
    const stale = await findStaleFiles();
    assert.deepEqual(
      stale.map((file) => file.path),
      [],
      'run "npm run generate" and commit the result',
    );
  });

  it('the error reference names every code once', () => {
    const text = computeGeneratedFiles().find((file) => file.path === 'docs/errors.md')?.content ?? '';
    const listed = [...text.matchAll(/^\| `(LVS_\w+)` \|/gm)].map((match) => match[1]);
    assert.deepEqual(listed, Object.keys(errorCodes));
  });

  it('dependencies are exact versions and the lock file names no host', () => {
    const manifest: unknown = JSON.parse(readFileSync(path.join(projectRoot, 'package.json'), 'utf8'));
    assert.ok(typeof manifest === 'object' && manifest !== null);
    const groups = ['dependencies', 'devDependencies', 'overrides'] as const;
    const wanted = new Map(Object.entries(manifest));
    const loose = groups.flatMap((group) =>
      Object.entries(wanted.get(group) ?? {}).filter(
        ([, version]) => !/^(?:npm:[\w@/-]+@)?\d+\.\d+\.\d+$/.test(String(version)),
      ),
    );
    assert.deepEqual(loose, []);
    assert.doesNotMatch(
      readFileSync(path.join(projectRoot, 'package-lock.json'), 'utf8'),
      /"resolved": "http/,
    );
  });
});

describe('the tidy rules catch', () => {
  const word = 'TO' + 'DO';
  const texts: [scenario: string, text: string, violation: RegExp | undefined][] = [
    ['clean text is fine', 'nothing here\n', undefined],
    ['postponed work', `// ${word}: later\n`, /x\.md:1: work put off/],
    ['a registry', `see https://${'registry'}.example.org/pkg\n`, /names a registry/],
    ['a machine path', `cd ${'/ro'}ot/project\n`, /somebody's machine/],
    ['a path of a container is fine', '/var/lib/lvs-operator/ledger.json and src/work/a.ts\n', undefined],
    ['an unfinished merge', `a\n${'<'.repeat(7)} HEAD\n`, /x\.md:2: a merge/],
    ['no line break at the end', 'a', /line break/],
  ];
  for (const [scenario, text, violation] of texts) {
    it(scenario, () => expectViolation(findTextViolations('x.md', text), violation));
  }

  const body = (lines: number) => '{\n' + '  run();\n'.repeat(lines) + '}\n';
  const code: [scenario: string, file: string, text: string, violation: RegExp | undefined][] = [
    ['a clean file is fine', 'src/a/b.ts', `function f() ${body(80)}`, undefined],
    ['a wide line', 'src/a/b.ts', `// ${'x'.repeat(140)}`, /b\.ts:1: 143 characters/],
    ['a long message is fine', 'src/a/b.ts', `f('${'x'.repeat(140)}');`, undefined],
    ['a long file', 'test/a.ts', 'a();\n'.repeat(700), /lines long/],
    ['a long function', 'src/a/b.ts', `function f() ${body(95)}`, /b\.ts:1: f has 97 lines/],
    ['a long test is fine', 'test/a/b.ts', `function f() ${body(95)}`, undefined],
    ['a lonely test', 'test/a.test.ts', `it${'.on'}ly('x', () => {});`, /does not run/],
    ['a skipped test', 'test/a.test.ts', `it('x', { ${'sk'}ip: true }, () => {});`, /does not run/],
    ['a test that skips itself', 'test/a.test.ts', `t${'.sk'}ip('no kernel');`, /does not run/],
    ['the clock', 'src/link/a.ts', 'const now = Date.now();', /arguments: Date\.now/],
    ['the clock in the shell is fine', 'src/director/a.ts', 'const now = Date.now();', undefined],
    ['chance', 'src/ipvs/a.ts', 'Math.random();', /arguments: Math\.random/],
    ['printing', 'src/link/a.ts', 'console.log(1);', /only cli prints/],
    ['a muted compiler', 'src/a/b.ts', `// @ts-${'ignore'}`, /switched off/],
    [
      'a linter muted for a reason is fine',
      'src/a/b.ts',
      `// oxlint-${'disable'}-next-line x -- because`,
      undefined,
    ],
    ['a muted linter', 'src/a/b.ts', `// oxlint-${'disable'}-next-line`, /switched off/],
  ];
  for (const [scenario, file, text, violation] of code) {
    it(scenario, () => expectViolation(findSourceViolations(parseSource(file, text)), violation));
  }

  const header = '/**\n * link: what it owns.\n * What it promises.\n * What it refuses.\n */\n';
  const doors: [scenario: string, text: string, violation: RegExp | undefined][] = [
    [
      'a good door is fine',
      `${header}export { a } from './a.ts';\nexport type { B } from './b.ts';\n`,
      undefined,
    ],
    ['a door without a header', "export { a } from './a.ts';\n", /begins with a comment/],
    ['a door with too little to say', "/**\n * link\n */\nexport { a } from './a.ts';\n", /1 lines/],
    ['a door that is left open', `${header}export * from './a.ts';\n`, /names what it exports/],
    ['a door with code in it', `${header}export const a = 1;\n`, /only exports/],
  ];
  for (const [scenario, text, violation] of doors) {
    it(scenario, () =>
      expectViolation(findDoorViolations(parseSource('src/link/index.ts', text)), violation),
    );
  }
});

function expectViolation(found: readonly string[], violation: RegExp | undefined): void {
  if (violation === undefined) assert.deepEqual(found, []);
  else {
    assert.match(found[0] ?? 'no violation', violation);
    assert.equal(found.length, 1, found.join('\n'));
  }
}
