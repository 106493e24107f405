import type { OpenApiSchema } from '../../src/api/index.ts';

/** A structural schema, with what built-in kinds need beside what our own definitions use. */
export interface Schema extends OpenApiSchema {
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly items?: Schema;
  readonly additionalProperties?: Schema;
  readonly nullable?: boolean;
  readonly 'x-kubernetes-map-type'?: 'atomic' | 'granular';
  readonly 'x-kubernetes-preserve-unknown-fields'?: boolean;
  readonly 'x-kubernetes-int-or-string'?: boolean;
}

export const text: Schema = { type: 'string' };
export const integer: Schema = { type: 'integer', format: 'int32' };
export const yesNo: Schema = { type: 'boolean' };
export const time: Schema = { type: 'string', format: 'date-time' };
export const texts: Schema = { type: 'array', items: text, 'x-kubernetes-list-type': 'atomic' };
export const textMap: Schema = { type: 'object', additionalProperties: text };
/** Fields that no suite asks about. */
export const anything: Schema = { type: 'object', 'x-kubernetes-preserve-unknown-fields': true };

export function struct(properties: Readonly<Record<string, Schema>>, ...required: string[]): Schema {
  return { type: 'object', properties, ...(required.length > 0 ? { required } : {}) };
}

export function list(items: Schema, ...keys: string[]): Schema {
  return keys.length > 0
    ? { type: 'array', items, 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': keys }
    : { type: 'array', items, 'x-kubernetes-list-type': 'atomic' };
}

export const objectMeta: Schema = {
  ...struct({
    name: text,
    generateName: text,
    namespace: text,
    uid: text,
    resourceVersion: text,
    generation: { type: 'integer', format: 'int64' },
    creationTimestamp: { ...time, nullable: true },
    deletionTimestamp: { ...time, nullable: true },
    deletionGracePeriodSeconds: { type: 'integer', format: 'int64' },
    selfLink: text,
    labels: textMap,
    annotations: textMap,
    finalizers: { ...texts, 'x-kubernetes-list-type': 'set' },
    ownerReferences: list(
      struct(
        {
          apiVersion: text,
          kind: text,
          name: text,
          uid: text,
          controller: yesNo,
          blockOwnerDeletion: yesNo,
        },
        'apiVersion',
        'kind',
        'name',
        'uid',
      ),
      'uid',
    ),
    managedFields: list(anything),
  }),
  description: 'Standard object metadata.',
};

/** The schema of a whole object: what the definition says, with the fields that every object has. */
export function objectSchema(schema: Schema): Schema {
  return {
    ...schema,
    properties: {
      ...schema.properties,
      apiVersion: schema.properties?.['apiVersion'] ?? text,
      kind: schema.properties?.['kind'] ?? text,
      metadata: objectMeta,
    },
  };
}
