import type * as z from 'zod';
import { fields, flag, text } from './fields.ts';
import type { Immutable } from './immutable.ts';
import type { Metadata, apiVersion } from './metadata.ts';
import type { ResourceRule } from './problem.ts';

/** Characters of a reason: it stands in conditions, and behind /readyz, where everybody reads it. */
const maxMaintenanceReason = 256;

/** What a director does follows from its node and from everybody's objects; people may ask it to stand back. */
export const directorSpecSchema = fields({
  maintenance: fields({
    drain: flag().describe(
      'Whether the director takes no new clients: every real server has weight 0 on this node, on which open ' +
        'connections run to their end. It answers 503 at /readyz, for routers that ask there.',
    ),
    reason: text(
      'a line of text without spaces at its ends',
      /^[^ \p{Cc}](\P{Cc}*[^ \p{Cc}])?$/u,
      maxMaintenanceReason,
    )
      .optional()
      .describe('Why, for other people. Everybody who reaches the node reads it at /readyz.'),
  })
    .optional()
    .describe('Takes the director out for maintenance, and gives it back. Without it, it serves.'),
});

export type DirectorSpec = Immutable<z.output<typeof directorSpecSchema>>;
export type DirectorMaintenance = NonNullable<DirectorSpec['maintenance']>;

const reasonWithoutDrain = 'says why a director drains, and this one does not; remove it or set drain: true';

/** What the structure of a Director cannot say. Paths begin at the object. */
export const directorRules: readonly ResourceRule<DirectorSpec>[] = [
  {
    name: 'ReasonWithoutDrain',
    promise: 'maintenance.reason is there only where maintenance.drain is true.',
    violations: ({ maintenance }) =>
      maintenance?.reason !== undefined && !maintenance.drain
        ? [{ path: ['spec', 'maintenance', 'reason'], message: reasonWithoutDrain }]
        : [],
    cel: [
      {
        at: ['spec', 'maintenance'],
        rule: 'self.drain || !has(self.reason)',
        message: reasonWithoutDrain,
        fieldPath: '.reason',
      },
    ],
  },
];

/** One director. It has the name of its node, is cluster-wide, and is made by the director itself. */
export interface DirectorResource {
  readonly apiVersion: typeof apiVersion;
  readonly kind: 'Director';
  readonly metadata: Metadata;
  readonly spec: DirectorSpec;
  readonly status?: Readonly<Record<string, unknown>>;
}
