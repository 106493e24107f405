import assert from 'node:assert/strict';
import path from 'node:path';
import { describe, it } from 'node:test';
import { temporaryFolder } from '../manifests/temporary-folder.ts';
import { formatEvent, splitTestOutput } from './events.ts';
import { FileRun } from './file-run.ts';
import type { FileResult } from './file-run.ts';
import { runNatively } from './native.ts';
import { formatFailures, formatFile, formatSummary } from './report.ts';

const head =
  "import { test, suite, before } from 'node:test'; import assert from 'node:assert/strict'; const fail = () => assert.equal(1, 2);\n";

async function runText(text: string, options: { namePattern?: string; timeoutMs?: number } = {}) {
  using folder = temporaryFolder({ 'a.test.mjs': head + text });
  const told: string[] = [];
  const run = new FileRun(path.join(folder.path, 'a.test.mjs'), ({ name }) => told.push(name));
  const end = await runNatively(run, {
    timeoutMs: options.timeoutMs ?? 20_000,
    signal: new AbortController().signal,
    namePattern: options.namePattern,
  });
  const result = run.end(end);
  assert.deepEqual(
    told,
    result.failed.map(({ name }) => name),
    'every failure is told at once',
  );
  return result;
}

describe('the run of a test file', { concurrency: 2 }, () => {
  const scenarios: [scenario: string, text: string, passed: number, failed: readonly string[]][] = [
    ['tests that pass', "test('a', () => {}); suite('s', () => { test('b', () => {}); });", 2, []],
    [
      'tests that fail are named with their suites',
      "suite('s', () => { test('b', fail); test('c', () => {}); });",
      1,
      ['s > b'],
    ],
    [
      'a subtest fails once, not with its parents',
      "test('a', async (t) => { await t.test('b', fail); });",
      0,
      ['a > b'],
    ],
    ['output that looks like half a line', "test('a', () => process.stdout.write('half'));", 1, []],
    ['a set-up that fails', "suite('s', () => { before(fail); test('b', () => {}); });", 0, ['s > b', 's']],
    [
      'an exit with status 0 in the middle',
      "test('a', () => {}); test('b', () => process.exit(0));",
      0,
      ['the file itself'],
    ],
    ['an error before the first test', "throw new Error('broken');", 0, ['the file itself']],
    ['a file without a test', '', 0, ['the file itself']],
    ['a file that cannot be read', 'this is no script', 0, ['the file itself']],
    [
      'a process that is killed',
      "test('a', () => process.kill(process.pid, 'SIGKILL'));",
      0,
      ['the file itself'],
    ],
  ];
  for (const [scenario, text, passed, failed] of scenarios) {
    it(scenario, async () => {
      const result = await runText(text);
      assert.deepEqual(result.failed.map(({ name }) => name).toSorted(), failed.toSorted());
      assert.equal(result.passed, passed);
    });
  }

  it('names the test that hangs', async () => {
    const text = "test('stuck', () => new Promise((resolve) => setTimeout(resolve, 60_000)));";
    const { failed, passed } = await runText(text, { timeoutMs: 1500 });
    assert.equal(passed, 0);
    assert.match(failed[0]?.error ?? '', /was stopped after 1\.5 s \(last begun: "stuck"\)/);
  });

  it('keeps what the file printed, on both streams, and the whole error', async () => {
    const { failed, printed } = await runText(
      "test('a', () => { console.log('seen'); console.error('too'); assert.equal(1, 2, 'mine'); });",
    );
    assert.deepEqual(printed.toSorted(), ['seen', 'too']);
    assert.match(failed[0]?.error ?? '', /mine[^]*a\.test\.mjs:2[^]*actual: +1\nexpected: +2/);
    assert.match(failed[0]?.at ?? '', /a\.test\.mjs:2$/);
  });

  it('says which tests did not run, and why', async () => {
    const { skipped, passed } = await runText(`test('a', { ${'sk'}ip: 'no kernel' }, fail);`);
    assert.deepEqual([skipped, passed], [['a: no kernel'], 0]);
  });

  it('runs the tests of a name only', async () => {
    const { failed, passed } = await runText("test('one', () => {}); test('two', fail);", {
      namePattern: 'one',
    });
    assert.deepEqual([failed, passed], [[], 1]);
  });
});

describe('the output of a test process', () => {
  it('comes apart wherever the chunks end', () => {
    const event = { kind: 'passed', name: 'a ü', ms: 1 } as const;
    const text = `first\n\nsecond${formatEvent(event)}third\nlast`;
    for (let at = 0; at < text.length; at += 1) {
      const events: unknown[] = [];
      const printed: string[] = [];
      const split = splitTestOutput(
        (found) => events.push(found),
        (line) => printed.push(line),
      );
      split.push(text.slice(0, at));
      split.push(text.slice(at));
      split.end();
      assert.deepEqual([events, printed], [[event], ['first', '', 'second', 'third', 'last']]);
    }
  });
});

describe('the report', () => {
  const good: FileResult = {
    file: 'test/a.test.ts',
    passed: 3,
    failed: [],
    skipped: [],
    seconds: 1,
    printed: ['x'],
  };
  const bad: FileResult = {
    ...good,
    file: 'test/b.test.ts',
    failed: [{ name: 's > t', at: 'test/b.test.ts:7', error: 'Error: no\n    at x' }],
  };
  const lastLine = (text: string) => text.split('\n').at(-1);

  it('ends with the sum alone', () => {
    const layer = { layer: 'unit', files: [good, bad], seconds: 2 } as const;
    assert.equal(lastLine(formatSummary([layer])), '6 passed, 1 failed');
    assert.equal(lastLine(formatSummary([])), '0 passed, 0 failed');
    const skipping = { ...layer, files: [{ ...good, skipped: ['t: because'] }] };
    assert.equal(lastLine(formatSummary([skipping])), '3 passed, 0 failed, 1 skipped');
    assert.match(formatSummary([skipping]), /^skipped: test\/a\.test\.ts: t: because$/m);
  });

  it('shows a failure with place, error and what was printed, and nothing of files that passed', () => {
    const text = formatFailures([good, bad]);
    assert.match(text, /^test\/b\.test\.ts: s > t\n {2}at test\/b\.test\.ts:7\n {4}Error: no\n/);
    assert.match(text, /printed, at the end:\n {4}x$/);
    assert.equal(formatFailures([good]), '');
  });

  it('shows what a file measured, also where it passed', () => {
    const measuring = { ...good, printed: ['x', 'measured: p99 7 ms', 'not measured: 8'] };
    assert.deepEqual(formatFile(measuring).split('\n').slice(1), ['        measured: p99 7 ms']);
  });
});
