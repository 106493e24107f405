import { duplicateViolations, twoSpellings } from './duplicates.ts';
import { duplicatePortNameCel, portNameMissingCel } from './port-name-cel.ts';
import type { ResourceRule } from './problem.ts';
import type { RealServerSliceSpec } from './real-server-slice.ts';

const portNameWhy =
  'is required when there are several ports: it names the virtual port that this one serves';

/** What the structure of a RealServerSlice cannot say. Paths are relative to the object. */
export const realServerSliceRules: readonly ResourceRule<RealServerSliceSpec>[] = [
  {
    name: 'DuplicateEndpoint',
    promise: 'An address is listed once.',
    violations: ({ endpoints }) =>
      duplicateViolations(endpoints, ({ address }) => address, ['spec', 'endpoints'], 'address'),
    cel: [],
    beyondApiServer: twoSpellings,
  },
  {
    name: 'DeadlineMismatch',
    promise: 'Only an endpoint that drains has a deadline.',
    violations: ({ endpoints }) =>
      endpoints.flatMap(({ phase, deadline }, index) =>
        deadline === undefined || phase === 'Draining'
          ? []
          : [
              {
                path: ['spec', 'endpoints', index, 'deadline'],
                message: 'applies to phase Draining only; remove it',
              },
            ],
      ),
    cel: [
      {
        at: ['spec', 'endpoints', '[]'],
        rule: "!has(self.deadline) || self.phase == 'Draining'",
        message: 'applies to phase Draining only; remove it',
        fieldPath: '.deadline',
        reason: 'FieldValueForbidden',
      },
    ],
  },
  {
    name: 'PortNameMissing',
    promise: 'Every port has a name when there are several.',
    violations: ({ ports }) =>
      ports.length < 2
        ? []
        : ports.flatMap(({ name }, index) =>
            name === undefined ? [{ path: ['spec', 'ports', index, 'name'], message: portNameWhy }] : [],
          ),
    cel: [portNameMissingCel(portNameWhy)],
  },
  {
    name: 'DuplicatePortName',
    promise: 'Port names are unique.',
    violations: ({ ports }) => duplicateViolations(ports, ({ name }) => name, ['spec', 'ports'], 'name'),
    cel: [duplicatePortNameCel],
  },
];
