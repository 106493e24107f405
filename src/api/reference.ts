import { directorConfigurationRules, directorConfigurationSchema } from './director-configuration.ts';
import { kindDescriptions } from './kinds.ts';
import { openApiSchema } from './open-api.ts';
import type { OpenApiSchema } from './open-api.ts';

/** What the reference says about one kind of document. */
export interface KindReference {
  readonly kind: string;
  readonly purpose: string;
  /** Undefined: the kind is a file of a node and no object of a cluster. */
  readonly resource:
    | {
        readonly plural: string;
        readonly shortName: string;
        readonly scope: 'Namespaced' | 'Cluster';
      }
    | undefined;
  /** Its fields, below `spec` for the kinds that have one. Texts carry their form under `x-lvs-form`. */
  readonly schema: OpenApiSchema;
  readonly rules: readonly {
    readonly name: string;
    readonly promise: string;
    readonly beyondApiServer?: string;
  }[];
}

/** Everything that people write, in the order in which they meet it. */
export function kindReferences(): readonly KindReference[] {
  return [
    ...kindDescriptions.map(({ kind, purpose, plural, shortName, scope, spec, rules }) => ({
      kind,
      purpose,
      resource: { plural, shortName, scope },
      schema: openApiSchema(spec, { forms: true }),
      rules,
    })),
    {
      kind: 'DirectorConfiguration',
      purpose:
        'The DirectorConfiguration holds the settings of one node. It is a file that the director reads once, when it ' +
        'starts; without it every field has its default.',
      resource: undefined,
      schema: openApiSchema(directorConfigurationSchema, { forms: true }),
      rules: directorConfigurationRules,
    },
  ];
}
