import { splitTestOutput } from './events.ts';
import type { TestEventLine } from './events.ts';

export interface FailedTest {
  /** Suites and test, joined by ` > `. */
  readonly name: string;
  /** `file:line` of the test, or empty. */
  readonly at: string;
  /** Error with stack, or why there was no answer. */
  readonly error: string;
}

/** What became of one test file. */
export interface FileResult {
  /** Relative to the repository. */
  readonly file: string;
  readonly passed: number;
  readonly failed: readonly FailedTest[];
  /** With the reason of each. */
  readonly skipped: readonly string[];
  readonly seconds: number;
  /** The last lines that the file printed, for reading a failure. */
  readonly printed: readonly string[];
}

/** How the process of a test file ended, in the words of whoever started it. */
export interface ProcessEnd {
  /** True when the process ended by itself with status 0. */
  readonly isClean: boolean;
  /** `exited with status 1`, `was stopped after 240 s`. */
  readonly how: string;
}

const printedLinesKept = 60;

/** Collects the events of one test file and judges its end. Feed it the process's output. */
export class FileRun {
  readonly file: string;
  readonly #startMs = performance.now();
  readonly #onFailure: (failure: FailedTest) => void;
  readonly #failed: FailedTest[] = [];
  readonly #skipped: string[] = [];
  readonly #printed: string[] = [];
  readonly #stdout = this.#split();
  readonly #stderr = this.#split();
  #passed = 0;
  #latest = '';
  #hasEnded = false;

  /** @param onFailure hears of each failed test at once */
  constructor(file: string, onFailure: (failure: FailedTest) => void) {
    this.file = file;
    this.#onFailure = onFailure;
  }

  stdout(chunk: string): void {
    this.#stdout.push(chunk);
  }

  stderr(chunk: string): void {
    this.#stderr.push(chunk);
  }

  get seconds(): number {
    return (performance.now() - this.#startMs) / 1000;
  }

  /** `12 tests so far, in "a service is edited"`: for people who wait. */
  get progress(): string {
    const count = this.#passed + this.#failed.length;
    return `${count} tests so far${this.#latest === '' ? '' : `, in "${this.#latest}"`}`;
  }

  /** Nothing counts as passed unless the process told every test and ended well. */
  end(processEnd: ProcessEnd): FileResult {
    this.#stdout.end();
    this.#stderr.end();
    if (!processEnd.isClean && (this.#failed.length === 0 || !this.#hasEnded)) {
      const where = this.#latest === '' ? 'before its first test' : `last begun: "${this.#latest}"`;
      this.#fail({ name: 'the file itself', at: this.file, error: `It ${processEnd.how} (${where}).` });
    } else if (!this.#hasEnded) {
      const error = `It ${processEnd.how} without telling the end of its tests.`;
      this.#fail({ name: 'the file itself', at: this.file, error });
    }
    return {
      file: this.file,
      passed: this.#passed,
      failed: this.#failed,
      skipped: this.#skipped,
      seconds: this.seconds,
      printed: this.#printed,
    };
  }

  #split() {
    return splitTestOutput(
      (event) => this.#take(event),
      (line) => {
        this.#printed.push(line);
        if (this.#printed.length > printedLinesKept) this.#printed.shift();
      },
    );
  }

  #take(event: TestEventLine): void {
    switch (event.kind) {
      case 'started':
        this.#latest = event.name;
        break;
      case 'passed':
        this.#passed += 1;
        break;
      case 'failed':
        this.#fail(event);
        break;
      case 'skipped':
        this.#skipped.push(`${event.name}: ${event.reason}`);
        break;
      case 'ended':
        this.#hasEnded = true;
        break;
    }
  }

  #fail({ name, at, error }: FailedTest): void {
    const failure = { name, at, error };
    this.#failed.push(failure);
    this.#onFailure(failure);
  }
}
