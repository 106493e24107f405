import { kindDescriptions } from './kinds.ts';
import type { KindDescription } from './kinds.ts';
import { apiGroup, apiVersion } from './metadata.ts';
import { openApiSchema, withRules } from './open-api.ts';
import type { OpenApiSchema } from './open-api.ts';
import type { PrinterColumn } from './printer-columns.ts';
import { withSpokenDefaults } from './spoken-defaults.ts';
import { statusOpenApi } from './status-open-api.ts';

/** The part of apiextensions.k8s.io/v1 CustomResourceDefinition that we use. */
export interface CustomResourceDefinition {
  readonly apiVersion: 'apiextensions.k8s.io/v1';
  readonly kind: 'CustomResourceDefinition';
  readonly metadata: { readonly name: string };
  readonly spec: {
    readonly group: string;
    readonly names: {
      readonly kind: string;
      readonly listKind: string;
      readonly plural: string;
      readonly singular: string;
      readonly shortNames: readonly string[];
      readonly categories: readonly string[];
    };
    readonly scope: 'Namespaced' | 'Cluster';
    readonly versions: readonly {
      readonly name: string;
      readonly served: true;
      readonly storage: true;
      readonly schema: { readonly openAPIV3Schema: OpenApiSchema };
      readonly subresources?: { readonly status: Readonly<Record<string, never>> };
      readonly additionalPrinterColumns: readonly PrinterColumn[];
      readonly selectableFields?: readonly { readonly jsonPath: string }[];
    }[];
  };
}

/** One definition per kind: structure, limits and defaults from the schemas, and the rules of one object as CEL. */
export function customResourceDefinitions(): readonly CustomResourceDefinition[] {
  return kindDescriptions.map(customResourceDefinition);
}

function customResourceDefinition(description: KindDescription): CustomResourceDefinition {
  const { kind, plural, singular, shortName, scope, columns, selectableFields } = description;
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${plural}.${apiGroup}` },
    spec: {
      group: apiGroup,
      names: {
        kind,
        listKind: `${kind}List`,
        plural,
        singular,
        shortNames: [shortName],
        categories: ['lvs'],
      },
      scope,
      versions: [
        {
          name: apiVersion.slice(apiGroup.length + 1),
          served: true,
          storage: true,
          schema: { openAPIV3Schema: objectSchema(description) },
          ...(description.status === undefined ? {} : { subresources: { status: {} } }),
          additionalPrinterColumns: columns,
          ...(selectableFields.length === 0
            ? {}
            : { selectableFields: selectableFields.map((jsonPath) => ({ jsonPath })) }),
        },
      ],
    },
  };
}

function objectSchema({
  kind,
  purpose,
  isInternal = false,
  spec,
  status,
  rules,
}: KindDescription): OpenApiSchema {
  const specSchema = openApiSchema(spec, { forms: false });
  const schema: OpenApiSchema = {
    description: purpose,
    type: 'object',
    properties: {
      apiVersion: { description: `Group and version of the schema: ${apiVersion}.`, type: 'string' },
      kind: { description: `What the object is: ${kind}.`, type: 'string' },
      // An API server describes metadata itself, and refuses a definition that says more about it than its type.
      metadata: { type: 'object' },
      spec: {
        description: isInternal ? `What the ${kind} holds.` : `What is wanted of the ${kind}.`,
        ...withSpokenDefaults(specSchema),
      },
      ...(status === undefined ? {} : { status: statusOpenApi(status, { forms: false }) }),
    },
    ...(specSchema.default === undefined ? { required: ['spec'] } : {}),
  };
  return withRules(
    schema,
    rules.flatMap(({ cel }) => cel),
  );
}
