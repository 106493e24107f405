import { addressPool, director, realServer, realServerSlice } from './objects.ts';
import type { RefusalRow } from './objects.ts';

/** Rows of `refusals` about what only a cluster has: selectors, slices and Directors. */
export const clusterRefusals: readonly RefusalRow[] = [
  // Selectors
  [
    'In without values',
    realServer({ addresses: undefined, podSelector: { matchExpressions: [{ key: 'app', operator: 'In' }] } }),
    'SelectorValues: spec.podSelector.matchExpressions[0].values must not be empty: In compares with them',
  ],
  [
    'NotIn with no value',
    addressPool({ namespaceSelector: { matchExpressions: [{ key: 'app', operator: 'NotIn', values: [] }] } }),
    'SelectorValues: spec.namespaceSelector.matchExpressions[0].values must not be empty: NotIn compares with them',
  ],
  [
    'Exists with a value',
    addressPool({
      namespaceSelector: { matchExpressions: [{ key: 'app', operator: 'Exists', values: ['a'] }] },
    }),
    'SelectorValues: spec.namespaceSelector.matchExpressions[0].values must be empty: Exists asks for the key alone',
  ],
  [
    'DoesNotExist with a value',
    realServer({
      addresses: undefined,
      podSelector: { matchExpressions: [{ key: 'app', operator: 'DoesNotExist', values: ['a'] }] },
    }),
    'SelectorValues: spec.podSelector.matchExpressions[0].values must be empty: DoesNotExist asks for the key alone',
  ],
  [
    'an operator of others',
    realServer({ addresses: undefined, podSelector: { matchExpressions: [{ key: 'a', operator: 'Gt' }] } }),
    'InvalidValue: spec.podSelector.matchExpressions[0].operator must be one of In, NotIn, Exists, ' +
      'DoesNotExist, not "Gt"',
  ],
  [
    'a requirement without a key',
    realServer({ addresses: undefined, podSelector: { matchExpressions: [{ operator: 'Exists' }] } }),
    'MissingField: spec.podSelector.matchExpressions[0].key is required: the key of a label, such as ' +
      'app or app.kubernetes.io/name',
  ],
  [
    'labels that are written like a selector of kubectl',
    realServer({ addresses: undefined, podSelector: 'app=web' }),
    'InvalidValue: spec.podSelector must be a mapping of fields, not "app=web"',
  ],
  [
    'labels without matchLabels',
    realServer({ addresses: undefined, podSelector: { app: 'web' } }),
    'UnknownField: spec.podSelector.app is not a field here; known fields are matchLabels, matchExpressions',
  ],
  [
    'a label value that YAML made a number',
    addressPool({ namespaceSelector: { matchLabels: { tier: 1 } } }),
    'InvalidValue: spec.namespaceSelector.matchLabels.tier must be the value of a label: at most 63 ' +
      'letters, digits, "-", "_" and ".", beginning and ending with a letter or digit, not 1',
  ],
  [
    'a label key with a space',
    realServer({ addresses: undefined, podSelector: { matchLabels: { 'my app': 'web' } } }),
    'InvalidValue: spec.podSelector.matchLabels["my app"] must be the key of a label, such as app or ' +
      'app.kubernetes.io/name, not "my app"',
  ],
  [
    'a label key of 64 characters',
    addressPool({ namespaceSelector: { matchLabels: { ['x'.repeat(64)]: 'web' } } }),
    `InvalidValue: spec.namespaceSelector.matchLabels.${'x'.repeat(64)} must be the key of a label, such as ` +
      `app or app.kubernetes.io/name, not "${'x'.repeat(60)}…"`,
  ],
  [
    'a label value that ends with a dash',
    realServer({ addresses: undefined, podSelector: { matchLabels: { app: 'web-' } } }),
    'InvalidValue: spec.podSelector.matchLabels.app must be the value of a label: at most 63 letters, ' +
      'digits, "-", "_" and ".", beginning and ending with a letter or digit, not "web-"',
  ],
  // RealServerSlice
  [
    'a slice of nobody',
    realServerSlice({ realServerName: undefined }),
    'MissingField: spec.realServerName is required: the name of a RealServer: at most 253 lower-case ' +
      'letters, digits, "-" and ".", beginning and ending with a letter or digit',
  ],
  [
    'a slice with 101 endpoints',
    realServerSlice({
      endpoints: Array.from({ length: 101 }, (_, index) => ({
        address: `198.51.100.${index}`,
        phase: 'Serving',
      })),
    }),
    'InvalidValue: spec.endpoints must have 0 to 100 entries, not 101',
  ],
  [
    'an endpoint of no phase',
    realServerSlice({ endpoints: [{ address: '198.51.100.1' }] }),
    'MissingField: spec.endpoints[0].phase is required: one of Serving, Draining',
  ],
  [
    'an endpoint that is no address',
    realServerSlice({ endpoints: [{ address: 'web-0', phase: 'Serving' }] }),
    'InvalidValue: spec.endpoints[0].address must be an IP address: "web-0" is not an IP address.',
  ],
  [
    'an endpoint twice',
    realServerSlice({
      endpoints: [
        { address: '198.51.100.1', phase: 'Serving' },
        { address: '198.51.100.1', phase: 'Draining' },
      ],
    }),
    'DuplicateEndpoint: spec.endpoints[1].address repeats 198.51.100.1 of entry 0; write it once',
  ],
  [
    'a deadline of an endpoint that serves',
    realServerSlice({
      endpoints: [{ address: '198.51.100.1', phase: 'Serving', deadline: '2026-01-31T12:00:00Z' }],
    }),
    'DeadlineMismatch: spec.endpoints[0].deadline applies to phase Draining only; remove it',
  ],
  [
    'a deadline that is no time',
    realServerSlice({ endpoints: [{ address: '198.51.100.1', phase: 'Draining', deadline: 'tomorrow' }] }),
    'InvalidValue: spec.endpoints[0].deadline must be a time such as 2026-01-31T12:00:00Z, not "tomorrow"',
  ],
  [
    'an endpoint weight of 65536',
    realServerSlice({ endpoints: [{ address: '198.51.100.1', phase: 'Serving', weight: 65_536 }] }),
    'InvalidValue: spec.endpoints[0].weight must be a whole number from 0 to 65535, not 65536',
  ],
  [
    'an empty pod uid',
    realServerSlice({ endpoints: [{ address: '198.51.100.1', phase: 'Serving', podUID: '' }] }),
    'InvalidValue: spec.endpoints[0].podUID must be the uid of a pod, not ""',
  ],
  [
    'a slice with two unnamed ports',
    realServerSlice({ ports: [{ port: 1 }, { name: 'b', port: 2 }] }),
    'PortNameMissing: spec.ports[0].name is required when there are several ports: it names the ' +
      'virtual port that this one serves',
  ],
  [
    'a slice with two ports of one name',
    realServerSlice({
      ports: [
        { name: 'a', port: 1 },
        { name: 'a', port: 2 },
      ],
    }),
    'DuplicatePortName: spec.ports[1].name repeats a of entry 0; write it once',
  ],
  // Director
  [
    'maintenance without saying whether',
    director({ maintenance: {} }),
    'MissingField: spec.maintenance.drain is required: true or false',
  ],
  [
    'a maintenance that is a word',
    director({ maintenance: { drain: 'yes' } }),
    'InvalidValue: spec.maintenance.drain must be true or false, not "yes" (in YAML 1.2 only true is true)',
  ],
  [
    'a reason of two lines',
    director({ maintenance: { drain: true, reason: 'new\ndisks' } }),
    'InvalidValue: spec.maintenance.reason must be a line of text without spaces at its ends, not "new\ndisks"',
  ],
  [
    'a reason of nothing but a space',
    director({ maintenance: { drain: true, reason: ' ' } }),
    'InvalidValue: spec.maintenance.reason must be a line of text without spaces at its ends, not " "',
  ],
  [
    'a reason that nobody would read',
    director({ maintenance: { drain: false, reason: 'new disks' } }),
    'ReasonWithoutDrain: spec.maintenance.reason says why a director drains, and this one does not; remove it or ' +
      'set drain: true',
  ],
  [
    'a Director that is to do what it does',
    director({ addresses: ['192.0.2.1'] }),
    'UnknownField: spec.addresses is not a field here; known fields are maintenance',
  ],
  [
    'a namespace on a Director',
    director({}, { namespace: 'default' }),
    'UnknownField: metadata.namespace does not belong here: this kind is cluster-wide; remove it',
  ],
];
