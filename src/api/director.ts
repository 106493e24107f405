import type * as z from 'zod';
import { fields, flag, words } from './fields.ts';
import type { Immutable } from './immutable.ts';
import type { Metadata, apiVersion } from './metadata.ts';

export const directorSpecSchema = fields({
  maintenance: fields({
    drain: flag().default(true).describe('Whether traffic is led away from the director meanwhile.'),
    reason: words('a note', 256).optional().describe('Why, for other people; any text.'),
  })
    .optional()
    .describe('Present while people work on the node; remove it when they are done.'),
});

export type DirectorSpec = Immutable<z.output<typeof directorSpecSchema>>;

/** One director. It has the name of its node, is cluster-wide, and is made by the director itself. */
export interface DirectorResource {
  readonly apiVersion: typeof apiVersion;
  readonly kind: 'Director';
  readonly metadata: Metadata;
  readonly spec: DirectorSpec;
  readonly status?: Readonly<Record<string, unknown>>;
}
