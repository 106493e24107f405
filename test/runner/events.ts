/** What a test process tells the runner: one event a line on standard output, among whatever the tests print. */

export type TestEventLine =
  | { kind: 'started'; name: string }
  | { kind: 'passed'; name: string; ms: number }
  | { kind: 'failed'; name: string; ms: number; at: string; error: string }
  | { kind: 'skipped'; name: string; reason: string }
  /** Every test of the process has been told. */
  | { kind: 'ended' };

/** Begins the line of an event; no test prints a record separator by accident. */
const marker = '\u001etest ';

/** On a line of its own even when a test has printed half a line. */
export function formatEvent(event: TestEventLine): string {
  return `\n${marker}${JSON.stringify(event)}\n`;
}

/**
 * Takes the output of a test process apart as it comes: events to one side, what the tests printed to the other.
 * Chunks may end anywhere.
 */
export function splitTestOutput(onEvent: (event: TestEventLine) => void, onPrinted: (line: string) => void) {
  let rest = '';
  let hasBlank = false;
  const takeLine = (line: string): void => {
    if (line.startsWith(marker)) {
      // The empty line before it came with it.
      hasBlank = false;
      onEvent(JSON.parse(line.slice(marker.length)) as TestEventLine);
      return;
    }
    if (hasBlank) onPrinted('');
    hasBlank = line === '';
    if (!hasBlank) onPrinted(line);
  };
  return {
    push(chunk: string): void {
      const lines = (rest + chunk).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) takeLine(line.replace(/\r$/, ''));
    },
    end(): void {
      if (rest !== '') onPrinted(rest);
      rest = '';
    },
  };
}
