import { tunnelCel, tunnelViolations } from './forwarding.ts';
import { duplicateViolations, twoSpellings } from './duplicates.ts';
import { duplicatePortNameCel, portNameMissingCel } from './port-name-cel.ts';
import { selectorCel, selectorPromise, selectorViolations } from './label-selector.ts';
import { healthCheckCel, healthCheckPromise, healthCheckViolations } from './health-check.ts';
import type { ResourceRule } from './problem.ts';
import { sourceCel, sourceViolations } from './real-server-source.ts';
import type { RealServerSpec } from './real-server.ts';

/** What the structure of a RealServer cannot say. Paths are relative to the object. */
export const realServerRules: readonly ResourceRule<RealServerSpec>[] = [
  {
    name: 'OneSource',
    promise: 'Exactly one of addresses, podSelector and serviceRef is given.',
    violations: sourceViolations,
    cel: sourceCel,
  },
  {
    name: 'SelectorValues',
    promise: selectorPromise,
    violations: ({ podSelector }) => selectorViolations(podSelector, ['spec', 'podSelector']),
    cel: selectorCel(['spec', 'podSelector']),
  },
  {
    name: 'DuplicateAddress',
    promise: 'An address is listed once.',
    violations: ({ addresses = [] }) => duplicateViolations(addresses, (ip) => ip, ['spec', 'addresses']),
    cel: [],
    beyondApiServer: twoSpellings,
  },
  {
    name: 'PortNameMissing',
    promise: 'Every port has a name when there are several.',
    violations: ({ ports }) =>
      ports.length < 2
        ? []
        : ports.flatMap(({ name }, index) =>
            name === undefined
              ? [
                  {
                    path: ['spec', 'ports', index, 'name'],
                    message:
                      'is required when there are several ports: it names the virtual port that this one serves',
                  },
                ]
              : [],
          ),
    cel: [
      portNameMissingCel(
        'is required when there are several ports: it names the virtual port that this one serves',
      ),
    ],
  },
  {
    name: 'DuplicatePortName',
    promise: 'Port names are unique.',
    violations: ({ ports }) => duplicateViolations(ports, ({ name }) => name, ['spec', 'ports'], 'name'),
    cel: [duplicatePortNameCel],
  },
  {
    name: 'ThresholdOrder',
    promise: 'lowerThreshold is at most upperThreshold.',
    violations: ({ upperThreshold, lowerThreshold }) => {
      const path = ['spec', 'lowerThreshold'];
      if (lowerThreshold === 0) return [];
      if (upperThreshold === 0) {
        return [
          { path, message: `is ${lowerThreshold}, but there is no upperThreshold; set both or neither` },
        ];
      }
      return lowerThreshold <= upperThreshold
        ? []
        : [
            {
              path,
              message: `is ${lowerThreshold}, above upperThreshold ${upperThreshold}; it must be lower or equal`,
            },
          ];
    },
    cel: [
      {
        at: ['spec'],
        rule: 'self.lowerThreshold == 0 || self.upperThreshold > 0',
        message: 'there is no upperThreshold',
        messageExpression:
          "'is %d, but there is no upperThreshold; set both or neither'.format([self.lowerThreshold])",
        fieldPath: '.lowerThreshold',
      },
      {
        at: ['spec'],
        rule: 'self.upperThreshold == 0 || self.lowerThreshold <= self.upperThreshold',
        message: 'must be lower than upperThreshold or equal',
        messageExpression:
          "'is %d, above upperThreshold %d; it must be lower or equal'" +
          '.format([self.lowerThreshold, self.upperThreshold])',
        fieldPath: '.lowerThreshold',
      },
    ],
  },
  {
    name: 'TunnelMismatch',
    promise: 'A tunnel goes with method TUN, a port with GUE, and a checksum with the types that have one.',
    violations: ({ forwarding }) =>
      forwarding === undefined ? [] : tunnelViolations(forwarding, ['spec', 'forwarding']),
    cel: tunnelCel(['spec', 'forwarding']),
  },
  {
    name: 'HealthCheckInvalid',
    promise: healthCheckPromise,
    violations: ({ healthCheck }) =>
      healthCheck === undefined ? [] : healthCheckViolations(healthCheck, ['spec', 'healthCheck']),
    cel: healthCheckCel(['spec', 'healthCheck']),
  },
];
