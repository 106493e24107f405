import type * as z from 'zod';
import { fields } from './fields.ts';
import type { Immutable } from './immutable.ts';
import type { Metadata, apiVersion } from './metadata.ts';

/** Nothing to be wished of a director yet: what it does follows from its node and from everybody's objects. */
export const directorSpecSchema = fields({});

export type DirectorSpec = Immutable<z.output<typeof directorSpecSchema>>;

/** One director. It has the name of its node, is cluster-wide, and is made by the director itself. */
export interface DirectorResource {
  readonly apiVersion: typeof apiVersion;
  readonly kind: 'Director';
  readonly metadata: Metadata;
  readonly spec: DirectorSpec;
  readonly status?: Readonly<Record<string, unknown>>;
}
