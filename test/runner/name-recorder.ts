/** Stands in for `node:test` where only the names are asked for; see list-names.ts. */

const suites: string[] = [];

function record(name: unknown): void {
  console.log(JSON.stringify([...suites, String(name)].join(' ')));
}

/** Suites run, for the tests in them; names that come after an await count as outside. */
export function describe(name: unknown, ...rest: readonly unknown[]): unknown {
  record(name);
  const body = rest.at(-1);
  if (typeof body !== 'function') return undefined;
  suites.push(String(name));
  try {
    return (body as () => unknown)();
  } finally {
    suites.pop();
  }
}

export function it(name: unknown): void {
  record(name);
}

/** Hooks do not run. */
export function before(): void {}

export { describe as suite, it as test, before as after, before as beforeEach, before as afterEach };
