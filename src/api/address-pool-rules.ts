import type { AddressPoolSpec } from './address-pool.ts';
import { duplicateViolations, twoSpellings } from './duplicates.ts';
import { selectorCel, selectorPromise, selectorViolations } from './label-selector.ts';
import type { ResourceRule } from './problem.ts';

/** What the structure of an AddressPool cannot say. Paths begin at the object. */
export const addressPoolRules: readonly ResourceRule<AddressPoolSpec>[] = [
  {
    name: 'DuplicateRange',
    promise: 'A network or range is listed once.',
    violations: ({ addresses, realServerCIDRs }) => [
      ...duplicateViolations(addresses, ({ first, last }) => `${first}-${last}`, ['spec', 'addresses']),
      ...duplicateViolations(realServerCIDRs, ({ address, prefixLength }) => `${address}/${prefixLength}`, [
        'spec',
        'realServerCIDRs',
      ]),
    ],
    cel: [],
    beyondApiServer: twoSpellings,
  },
  {
    name: 'DuplicateNamespace',
    promise: 'A namespace is listed once.',
    violations: ({ namespaces }) => duplicateViolations(namespaces, (name) => name, ['spec', 'namespaces']),
    cel: [],
  },
  {
    name: 'SelectorValues',
    promise: selectorPromise,
    violations: ({ namespaceSelector }) =>
      selectorViolations(namespaceSelector, ['spec', 'namespaceSelector']),
    cel: selectorCel(['spec', 'namespaceSelector']),
  },
  {
    name: 'DefaultPoolEmpty',
    promise: 'The default pool has addresses.',
    violations: (pool) =>
      pool.default && pool.addresses.length === 0
        ? [
            {
              path: ['spec', 'default'],
              message: 'is true, but spec.addresses is empty; add addresses or remove it',
            },
          ]
        : [],
    cel: [
      {
        at: ['spec'],
        rule: '!self.default || self.addresses.size() > 0',
        message: 'is true, but spec.addresses is empty; add addresses or remove it',
        fieldPath: '.default',
      },
    ],
  },
];
