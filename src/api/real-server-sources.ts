import { problem } from './collect-problems.ts';
import { isRecord } from './is-record.ts';
import type { ResourceProblem } from './problem.ts';

const sources = ['addresses', 'podSelector', 'serviceRef'];

/**
 * The problems of a RealServer, told in terms of its source: a server comes from exactly one of `addresses`,
 * `podSelector` and `serviceRef`. With two of them that is the problem to tell, and with one that needs a cluster
 * the absence of `addresses` is not a second one.
 */
export function checkSources(
  value: unknown,
  problems: readonly ResourceProblem[],
): readonly ResourceProblem[] {
  const spec = isRecord(value) && isRecord(value['spec']) ? value['spec'] : {};
  const given = sources.filter((source) => spec[source] !== undefined);
  const last = given.at(-1);
  if (last === undefined || (given.length === 1 && last === 'addresses')) return problems;
  if (given.length === 1) {
    return problems.filter(({ path, reason }) => !(path[1] === 'addresses' && reason === 'MissingField'));
  }
  const others = problems.filter(({ path }) => !sources.includes(String(path[1])));
  const message = `cannot stand beside ${given.slice(0, -1).join(' and ')}: give exactly one of ${sources.join(', ')}`;
  return [problem(['spec', last], message, 'TwoSources'), ...others];
}
