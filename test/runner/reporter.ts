import path from 'node:path';
import type { TestEvent } from 'node:test/reporters';
import { inspect } from 'node:util';
import { formatEvent } from './events.ts';
import type { TestEventLine } from './events.ts';

/** Reporter of `node:test` that runs inside a test process and writes `TestEventLine`s. */
export default async function* reportToRunner(source: AsyncIterable<TestEvent>): AsyncGenerator<string> {
  const suites: string[] = [];
  for await (const event of source) {
    if (event.type === 'test:start') {
      suites.length = event.data.nesting;
      suites.push(event.data.name);
    }
    const line = translate(event, suites);
    if (line !== undefined) yield formatEvent(line);
  }
  yield formatEvent({ kind: 'ended' });
}

function translate(event: TestEvent, suites: readonly string[]): TestEventLine | undefined {
  if (event.type === 'test:dequeue') return { kind: 'started', name: event.data.name };
  if (event.type !== 'test:pass' && event.type !== 'test:fail') return undefined;
  const { data } = event;
  const name = [...suites.slice(0, data.nesting), data.name].join(' > ');
  const ms = data.details.duration_ms;
  if (event.type === 'test:fail') {
    const { error } = event.data.details;
    // The parent of a failed test fails too, and has nothing of its own to say.
    if ('failureType' in error && error.failureType === 'subtestsFailed') return undefined;
    const file = data.file === undefined ? '' : path.relative(process.cwd(), data.file);
    const at = file === '' || data.line === undefined ? file : `${file}:${data.line}`;
    return { kind: 'failed', name, ms, at, error: describeError(error) };
  }
  if (data.details.type === 'suite') return undefined;
  if (data.skip !== undefined && data.skip !== false) {
    return { kind: 'skipped', name, reason: typeof data.skip === 'string' ? data.skip : 'no reason given' };
  }
  return { kind: 'passed', name, ms };
}

/** The error that the test threw, without the wrapper that node:test puts around it and without Node's own frames. */
function describeError(wrapper: Error): string {
  const error: unknown = wrapper.cause ?? wrapper;
  if (!(error instanceof Error)) return inspect(error, { depth: 4 });
  const isAssertion = 'generatedMessage' in error;
  const parts = [isAssertion ? (error.stack ?? error.message) : inspect(error, { depth: 4 })];
  // The generated message has the difference in it; a message of one's own hides it.
  if (isAssertion && error.generatedMessage === false && 'actual' in error && 'expected' in error) {
    parts.push(
      `actual:   ${inspect(error.actual, { depth: 4 })}`,
      `expected: ${inspect(error.expected, { depth: 4 })}`,
    );
  }
  return parts
    .join('\n')
    .split('\n')
    .filter((line) => !/^\s+at .*\bnode:[a-z_/]+:\d/.test(line))
    .join('\n');
}
