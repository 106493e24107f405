import { directorConfigurationRules, directorConfigurationSchema } from './director-configuration.ts';
import { kindDescriptions } from './kinds.ts';
import { openApiSchema } from './open-api.ts';
import type { OpenApiSchema } from './open-api.ts';
import { statusOpenApi } from './status-open-api.ts';

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
  /** Written by the operator for itself. */
  readonly isInternal: boolean;
  /** Its fields, below `spec` for the kinds that have one. Texts carry their form under `x-lvs-form`. */
  readonly schema: OpenApiSchema;
  /** What the operator writes; undefined: nothing. */
  readonly status: OpenApiSchema | undefined;
  readonly rules: readonly {
    readonly name: string;
    readonly promise: string;
    readonly beyondApiServer?: string;
  }[];
}

/** Every kind, in the order in which people meet it. */
export function kindReferences(): readonly KindReference[] {
  return [
    ...kindDescriptions.map(
      ({ kind, purpose, plural, shortName, scope, isInternal, spec, status, rules }) => ({
        kind,
        purpose,
        resource: { plural, shortName, scope },
        isInternal: isInternal ?? false,
        schema: openApiSchema(spec, { forms: true }),
        status: status && statusOpenApi(status, { forms: true }),
        rules,
      }),
    ),
    {
      kind: 'DirectorConfiguration',
      purpose:
        'The DirectorConfiguration holds the settings of one node. It is a file that the director reads once, when it ' +
        'starts; without it every field has its default.',
      resource: undefined,
      isInternal: false,
      status: undefined,
      schema: openApiSchema(directorConfigurationSchema, { forms: true }),
      rules: directorConfigurationRules,
    },
  ];
}
