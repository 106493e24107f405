import { choice, fields, integer, ipAddress, set } from './fields.ts';
import { forwardingOverrideSchema, tunnelCel, tunnelViolations } from './forwarding.ts';
import {
  healthCheckCel,
  healthCheckPromise,
  healthCheckSchema,
  healthCheckViolations,
} from './health-check.ts';
import type { ResourceRule } from './problem.ts';

/** What a VirtualService makes of the health of its real servers. */
export const serviceHealthFields = {
  healthCheck: healthCheckSchema
    .optional()
    .describe(
      'How directors find out whether a real server answers. One that does not gets no new connections. Each director ' +
        'asks for itself. Omitted: every real server counts as up.',
    ),
  onFailure: choice(['Quiesce', 'Remove'])
    .default('Quiesce')
    .describe(
      'What becomes of a real server that fails its health check. Quiesce: no new connections; it leaves when its own ' +
        'have ended, or after the time of drain. Remove: it leaves at once, and its connections are cut.',
    ),
  quorum: fields({
    minimum: integer(1, 1_000_000)
      .optional()
      .describe(
        'Least servers, or least weight, that must be up. Exactly one of minimum and minimumPercent is given.',
      ),
    minimumPercent: integer(1, 100).optional().describe('The same as a percentage of all.'),
    countIn: choice(['Servers', 'Weight'])
      .default('Servers')
      .describe(
        'Weight: the weights that RealServers are given. Weights that follow load or a slow start do not count.',
      ),
    hysteresis: integer(0, 1_000_000)
      .default(0)
      .describe(
        'The quorum is lost below minimum less this, and met again from minimum plus this. In the same unit.',
      ),
  })
    .optional()
    .describe(
      'How much must be up for the service to count as whole. Omitted: one server. Each port of each address is ' +
        'counted for itself, unless they are grouped.',
    ),
  sorryServer: fields({
    addresses: set(ipAddress(), 1, 16).describe(
      'Its addresses, which serve the virtual addresses of their family. Each must lie in the realServerCIDRs of an ' +
        'AddressPool that admits the namespace.',
    ),
    port: integer(1, 65535)
      .optional()
      .describe('Port that it listens on. Omitted, and with DR and TUN always: the virtual port.'),
    forwarding: forwardingOverrideSchema
      .optional()
      .describe('How packets reach it. Omitted: as the real servers.'),
    healthCheck: healthCheckSchema
      .optional()
      .describe('How it is checked itself. Omitted: as the real servers are, on its own port.'),
  })
    .optional()
    .describe(
      'Who answers while the quorum is lost. The real servers that are left get no new connections then, and keep those ' +
        'they have. One that does not pass its own check is not used. Omitted: who is left goes on serving.',
    ),
  panicThresholdPercent: integer(0, 100)
    .default(0)
    .describe(
      'Below this share of servers that are up, health is ignored and all of them get connections: what is left would ' +
        'be overrun, and so many are rarely down at once. 0: never.',
    ),
  slowStart: fields({
    durationSeconds: integer(1, 3600).describe('Time until a server has its whole weight.'),
  })
    .optional()
    .describe(
      'Let the weight of a server that is new or has recovered rise in steps. For schedulers that share by weight: wrr, ' +
        'wlc, sed, nq, lblc and lblcr.',
    ),
} as const;

interface ServiceHealthSpec {
  readonly scheduler: string;
  readonly quorum?:
    | {
        readonly minimum?: number | undefined;
        readonly minimumPercent?: number | undefined;
        readonly hysteresis: number;
      }
    | undefined;
  readonly panicThresholdPercent: number;
  readonly healthCheck?: Parameters<typeof healthCheckViolations>[0] | undefined;
  readonly sorryServer?:
    | {
        readonly forwarding?: Parameters<typeof tunnelViolations>[0] | undefined;
        readonly healthCheck?: Parameters<typeof healthCheckViolations>[0] | undefined;
      }
    | undefined;
  readonly slowStart?: object | undefined;
}

/** Why a scheduler cannot let weights rise slowly, as the rest of a sentence. */
const rampRefusals: Readonly<Partial<Record<string, string>>> = {
  rr: 'ignores weights',
  lc: 'ignores weights',
  fo: 'sends everything to the highest weight, so all clients would move at once',
  ovf: 'reads weights as an order and as limits of connections, so clients would move between servers',
  dh: 'hashes destinations to servers, so flows would move',
  sh: 'hashes clients to servers, so every step would move clients of other servers',
  mh: 'hashes clients to servers, so every step would move clients of other servers',
};

const oneMinimum = 'needs exactly one of minimum and minimumPercent';
const wideHysteresis = 'must be below the minimum, or the quorum could never be lost';
const panicInstead = 'would answer for the lost servers before the sorry server could; remove one of the two';

export const serviceHealthRules: readonly ResourceRule<ServiceHealthSpec>[] = [
  {
    name: 'HealthCheckInvalid',
    promise: healthCheckPromise,
    violations: ({ healthCheck, sorryServer }) => [
      ...(healthCheck === undefined ? [] : healthCheckViolations(healthCheck, ['spec', 'healthCheck'])),
      ...(sorryServer?.healthCheck === undefined
        ? []
        : healthCheckViolations(sorryServer.healthCheck, ['spec', 'sorryServer', 'healthCheck'])),
    ],
    cel: [
      ...healthCheckCel(['spec', 'healthCheck']),
      ...healthCheckCel(['spec', 'sorryServer', 'healthCheck']),
    ],
  },
  {
    name: 'QuorumInvalid',
    promise: 'A quorum has one minimum, and a hysteresis below it.',
    violations: ({ quorum }) => {
      if (quorum === undefined) return [];
      const { minimum, minimumPercent, hysteresis } = quorum;
      if ((minimum === undefined) === (minimumPercent === undefined))
        return [{ path: ['spec', 'quorum'], message: oneMinimum }];
      return hysteresis < (minimum ?? minimumPercent ?? 0)
        ? []
        : [{ path: ['spec', 'quorum', 'hysteresis'], message: wideHysteresis }];
    },
    cel: [
      { at: ['spec', 'quorum'], rule: 'has(self.minimum) != has(self.minimumPercent)', message: oneMinimum },
      {
        at: ['spec', 'quorum'],
        rule:
          'has(self.minimum) == has(self.minimumPercent) || ' +
          'self.hysteresis < (has(self.minimum) ? self.minimum : self.minimumPercent)',
        message: wideHysteresis,
        fieldPath: '.hysteresis',
      },
    ],
  },
  {
    name: 'SorryServerTunnelMismatch',
    promise: 'The tunnel of a sorry server goes with its method.',
    violations: ({ sorryServer }) =>
      sorryServer?.forwarding === undefined
        ? []
        : tunnelViolations(sorryServer.forwarding, ['spec', 'sorryServer', 'forwarding']),
    cel: tunnelCel(['spec', 'sorryServer', 'forwarding']),
  },
  {
    name: 'PanicBesideSorryServer',
    promise: 'There is a sorryServer or a panicThresholdPercent, not both.',
    violations: ({ sorryServer, panicThresholdPercent }) =>
      sorryServer === undefined || panicThresholdPercent === 0
        ? []
        : [{ path: ['spec', 'panicThresholdPercent'], message: panicInstead }],
    cel: [
      {
        at: ['spec'],
        rule: '!has(self.sorryServer) || self.panicThresholdPercent == 0',
        message: panicInstead,
        fieldPath: '.panicThresholdPercent',
        reason: 'FieldValueForbidden',
      },
    ],
  },
  {
    name: 'SlowStartMismatch',
    promise: 'slowStart goes with schedulers that share by weight: wrr, wlc, sed, nq, lblc and lblcr.',
    violations: ({ scheduler, slowStart }) => {
      const why = slowStart === undefined ? undefined : rampRefusals[scheduler];
      return why === undefined
        ? []
        : [{ path: ['spec', 'slowStart'], message: slowStartMessage(scheduler, why) }];
    },
    cel: Object.entries(rampRefusals).map(([scheduler, why = '']) => ({
      at: ['spec'],
      rule: `!has(self.slowStart) || self.scheduler != '${scheduler}'`,
      message: slowStartMessage(scheduler, why),
      fieldPath: '.slowStart',
      reason: 'FieldValueForbidden' as const,
    })),
  },
];

function slowStartMessage(scheduler: string, why: string): string {
  return `has no good effect under ${scheduler}, which ${why}; use wrr or wlc, or remove it`;
}
