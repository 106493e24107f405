import * as z from 'zod';
import { checkRules, parseWith } from './collect-problems.ts';
import type { ParseResult } from './collect-problems.ts';
import { choice, cidr, decimal, fields, integer, list, text } from './fields.ts';
import type { Immutable } from './immutable.ts';
import { apiVersion } from './metadata.ts';
import type { ObjectRule } from './problem.ts';
import { duplicateViolations } from './duplicates.ts';

const maxTimeoutSeconds = 7 * 24 * 3600;

/** IFNAMSIZ is 16 with the closing zero; the kernel's dev_valid_name() refuses "/", ":" and white space. */
const interfaceName = text('the name of a network interface', /^(?!\.{1,2}$)[^\s/:]{1,15}$/, 15);

export const directorConfigurationSchema = fields({
  apiVersion: z.literal(apiVersion, { error: () => `must be ${apiVersion}` }),
  kind: z.literal('DirectorConfiguration', { error: () => 'must be DirectorConfiguration' }),
  uplinks: list(
    fields({
      interface: interfaceName.describe('Interface whose network the virtual addresses may lie in.'),
      cidrs: list(cidr(), 1, 256)
        .optional()
        .describe(
          'Networks whose virtual addresses are bound and announced here. Default: the networks that are on-link there.',
        ),
    }),
    1,
    64,
  )
    .optional()
    .describe(
      'Interfaces that virtual addresses are bound to and announced on. Default: every interface with an address and a network on-link.',
    ),
  reservedCIDRs: list(cidr(), 0, 1024)
    .prefault([])
    .describe('Networks that hold neither virtual addresses nor real servers, whatever the pools say.'),
  timeouts: fields({
    tcpSeconds: integer(1, maxTimeoutSeconds)
      .optional()
      .describe('Idle TCP connections. The kernel begins with 900.'),
    tcpFinSeconds: integer(1, maxTimeoutSeconds)
      .optional()
      .describe('Closing TCP connections. The kernel begins with 120.'),
    udpSeconds: integer(1, maxTimeoutSeconds).optional().describe('UDP flows. The kernel begins with 300.'),
  })
    .prefault({})
    .describe(
      'How long the kernel remembers connections, on the whole node. What is omitted stays as it is.',
    ),
  netfilter: choice(['Auto', 'Legacy', 'Nft', 'Off'])
    .default('Auto')
    .describe(
      'Which iptables carries our packet rules. Auto: the one that the host already uses. Off: no packet rules, and ' +
        'what needs them is refused: portGrouping Together, sourceRanges, sourceNAT; the guard of virtual addresses is absent.',
    ),
  sysctls: choice(['Manage', 'Report'])
    .default('Manage')
    .describe(
      'Manage: write the kernel settings that the services need. Report: only say which ones differ.',
    ),
  sysctlRoot: text('an absolute path', /^\/./, 4096)
    .default('/proc/sys')
    .describe('Where the kernel settings are written, for containers whose own /proc/sys is read-only.'),
  driftCheckSeconds: integer(1, 3600)
    .default(1)
    .describe('How often the table is compared with what it should be, cheaply.'),
  fullCheckSeconds: integer(1, 86400).default(30).describe('How often everything is read back and compared.'),
  massRemoval: fields({
    fraction: decimal(0, 1).default(0.5).describe('Share of all entries; a removal of more is held.'),
    entries: integer(0, 1_000_000).default(10).describe('Number of entries; a removal of more is held.'),
    confirmSeconds: integer(0, 3600)
      .default(5)
      .describe('How much later a second complete reading must agree.'),
  })
    .prefault({})
    .describe(
      'When a reading of the manifests would remove more than both limits, it is held until a second one agrees.',
    ),
});

/** The node-level settings of one director, with defaults applied. Lists of networks are parsed. */
export type DirectorConfiguration = Immutable<
  Omit<z.output<typeof directorConfigurationSchema>, 'apiVersion' | 'kind'>
>;

export const directorConfigurationRules: readonly ObjectRule<DirectorConfiguration>[] = [
  {
    name: 'DuplicateUplink',
    promise: 'An uplink is listed once.',
    violations: ({ uplinks = [] }) =>
      duplicateViolations(uplinks, (uplink) => uplink.interface, ['uplinks'], 'interface'),
  },
  {
    name: 'CheckOrder',
    promise: 'The full check is not more frequent than the cheap one.',
    violations: ({ driftCheckSeconds, fullCheckSeconds }) =>
      fullCheckSeconds < driftCheckSeconds
        ? [
            {
              path: ['fullCheckSeconds'],
              message: `is ${fullCheckSeconds}, below driftCheckSeconds ${driftCheckSeconds}; it must be at least as long`,
            },
          ]
        : [],
  },
];

/** Reads the configuration file's content. Never throws for what a person wrote. */
export function parseDirectorConfiguration(value: unknown): ParseResult<DirectorConfiguration> {
  const parsed = parseWith(directorConfigurationSchema, value);
  if (!parsed.ok) return parsed;
  const { apiVersion: _version, kind: _kind, ...configuration } = parsed.value;
  const problems = checkRules(directorConfigurationRules, configuration);
  return problems.length === 0 ? { ok: true, value: configuration } : { ok: false, problems };
}

/** What a director does without a configuration file. */
export function defaultDirectorConfiguration(): DirectorConfiguration {
  const {
    apiVersion: _version,
    kind: _kind,
    ...configuration
  } = directorConfigurationSchema.parse({
    apiVersion,
    kind: 'DirectorConfiguration',
  });
  return configuration;
}
