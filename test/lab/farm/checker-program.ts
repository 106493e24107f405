/**
 * The prober of the product, alone, as a program: `checker-program.mjs JOB` with a job as JSON. Prints what it finds as
 * lines of JSON; a line on its input asks for the totals. Its end is that of its input.
 */
// As in the product, before everything else.
import '../../../src/cli/small-heap.ts';
import { createInterface } from 'node:readline';
import { isMainThread } from 'node:worker_threads';
import { parseIpAddress } from '../../../src/base/index.ts';
import { Checker, sharedNowMs, startProbeWorker } from '../../../src/health/index.ts';
import type { Check, Question } from '../../../src/health/index.ts';
import { targetOf } from './job.ts';
import type { CheckerJob, CheckerLine, Turn } from './job.ts';

const questions: Readonly<Record<CheckerJob['question'], Question>> = {
  tcp: { type: 'tcp' },
  http: { type: 'http', method: 'GET', path: '/', headers: [], statuses: [[200, 200]] },
};

function say(line: CheckerLine): void {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

function run(job: CheckerJob): void {
  const checks: Check[] = Array.from({ length: job.targets }, (_, target) => target).flatMap((target) => {
    const probe = {
      target: { ip: parseIpAddress(targetOf(job.network, target)), port: job.port },
      question: questions[job.question],
      intervalMs: job.intervalMs,
      timeoutMs: job.timeoutMs,
    };
    return job.policies.map((policy, index): Check => ({
      id: `${target} ${index}`,
      probe,
      policy,
      beginning: { kind: 'new', initialState: 'Down' },
    }));
  });
  // All begin down: the first report need not hold all of them, and who is not in it has not fallen.
  const known = new Map(checks.map(({ id }) => [id, false]));
  const logger = { debug() {}, info() {}, warn() {}, error: console.error, child: () => logger };
  const checker: Checker = new Checker({
    nowMs: sharedNowMs,
    timers: {
      after: (delayMs, callback) => {
        const timer = setTimeout(callback, delayMs);
        return () => clearTimeout(timer);
      },
    },
    logger,
    startWorker: startProbeWorker,
    allowLoopback: true,
    onVerdicts: () => {
      if (!job.isTold) return;
      const turns: Turn[] = [];
      for (const { id } of checks) {
        const verdict = checker.verdictOf(id);
        if (verdict === undefined || known.get(id) === verdict.isUp) continue;
        known.set(id, verdict.isUp);
        const [target = 0, policy = 0] = id.split(' ').map(Number);
        turns.push({ target, policy, isUp: verdict.isUp, atMs: sharedNowMs() });
      }
      if (turns.length > 0) say({ kind: 'turns', turns });
    },
  });
  checker.setChecks(checks);
  const input = createInterface({ input: process.stdin });
  input.on('line', () => {
    const outcomes = Object.assign({}, ...checker.totals().map((totals) => totals.outcomes)) as Record<
      string,
      number
    >;
    say({ kind: 'totals', totals: { outcomes, overdue: checker.proberHealth().overdue } });
  });
  input.on('close', () => void checker.close());
}

if (isMainThread) run(JSON.parse(process.argv[2] ?? '{}') as CheckerJob);
