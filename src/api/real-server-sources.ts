import { problem } from './collect-problems.ts';
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
  const spec: unknown = Object(Object(value).spec);
  const given = sources.filter((source) => Object.hasOwn(Object(spec), source));
  if (given.length === 0 || (given.length === 1 && given[0] === 'addresses')) return problems;
  if (given.length === 1)
    return problems.filter(({ path, reason }) => !(path[1] === 'addresses' && reason === 'MissingField'));
  const others = problems.filter(({ path }) => !sources.includes(String(path[1])));
  const message = `cannot stand beside ${given.slice(0, -1).join(' and ')}: give exactly one of ${sources.join(', ')}`;
  return [problem(['spec', given.at(-1) ?? ''], message, 'TwoSources'), ...others];
}
