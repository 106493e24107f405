/**
 * Asks from a host of the lab: `node health-program.ts QUESTIONS` with a list as JSON. All are asked side by side, and
 * their outcomes are printed as one line of JSON, in the same order.
 */
import { askOnce } from '../health/servers.ts';
import type { AskedFromHost } from './health-questions.ts';

const questions = JSON.parse(process.argv[2] ?? '[]') as AskedFromHost[];
const outcomes = await Promise.all(
  questions.map(async ({ question, target, timeoutMs }) => {
    const { outcome, tookMs } = await askOnce(question, target, timeoutMs);
    return { outcome, tookMs };
  }),
);
process.stdout.write(`${JSON.stringify(outcomes)}\n`, () => process.exit(0));
