import type { CelRule } from './cel.ts';
import type { RuleViolation } from './problem.ts';

const sources = ['addresses', 'podSelector', 'serviceRef'] as const;

/** A RealServer comes from exactly one of its sources. */
export function sourceViolations(spec: {
  readonly [Source in (typeof sources)[number]]?: unknown;
}): readonly RuleViolation[] {
  const given = sources.filter((source) => spec[source] !== undefined);
  const last = given.at(-1);
  if (last === undefined) {
    return [
      {
        path: ['spec'],
        message: `must say where the real servers are: give exactly one of ${sources.join(', ')}`,
      },
    ];
  }
  if (given.length === 1) return [];
  const others = given.slice(0, -1).join(' and ');
  return [
    {
      path: ['spec', last],
      message: `cannot stand beside ${others}: give exactly one of ${sources.join(', ')}`,
    },
  ];
}

/** The same in CEL: one rule per field to blame. */
export const sourceCel: readonly CelRule[] = [
  {
    at: ['spec'],
    rule: 'has(self.addresses) || has(self.podSelector) || has(self.serviceRef)',
    message: `must say where the real servers are: give exactly one of ${sources.join(', ')}`,
    reason: 'FieldValueRequired',
  },
  {
    at: ['spec'],
    rule: '!has(self.podSelector) || !has(self.addresses) || has(self.serviceRef)',
    message: `cannot stand beside addresses: give exactly one of ${sources.join(', ')}`,
    fieldPath: '.podSelector',
    reason: 'FieldValueForbidden',
  },
  {
    at: ['spec'],
    rule: '!has(self.serviceRef) || (!has(self.addresses) && !has(self.podSelector))',
    message: `cannot stand beside another source: give exactly one of ${sources.join(', ')}`,
    messageExpression:
      "'cannot stand beside %s: give exactly one of addresses, podSelector, serviceRef'.format([" +
      "has(self.addresses) ? (has(self.podSelector) ? 'addresses and podSelector' : 'addresses') : 'podSelector'])",
    fieldPath: '.serviceRef',
    reason: 'FieldValueForbidden',
  },
];
