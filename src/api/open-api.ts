import * as z from 'zod';
import { assert } from '../base/index.ts';
import type { CelRule, CelValidation } from './cel.ts';
import { formKey } from './fields.ts';
import { isRecord } from './is-record.ts';

/**
 * A structural schema in OpenAPI v3, as a CustomResourceDefinition wants it: every node has one type, and nothing but
 * `properties`, `items` and `additionalProperties` (a mapping with keys of any name) has children.
 */
export interface OpenApiSchema {
  readonly type: 'object' | 'array' | 'string' | 'integer' | 'number' | 'boolean';
  readonly description?: string;
  readonly format?: string;
  readonly default?: unknown;
  readonly enum?: readonly string[];
  readonly pattern?: string;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly maxProperties?: number;
  readonly properties?: Readonly<Record<string, OpenApiSchema>>;
  readonly required?: readonly string[];
  readonly items?: OpenApiSchema;
  /** Of a mapping whose keys are data; never beside `properties`. */
  readonly additionalProperties?: OpenApiSchema;
  readonly 'x-kubernetes-map-type'?: 'atomic' | 'granular';
  readonly 'x-kubernetes-list-type'?: 'atomic' | 'set' | 'map';
  readonly 'x-kubernetes-list-map-keys'?: readonly string[];
  readonly 'x-kubernetes-validations'?: readonly CelValidation[];
  /** Of which form a text is, for the reference. A CRD must not carry it: `forms: false`. */
  readonly [formKey]?: string;
}

export interface OpenApiOptions {
  /** Keep the forms of texts. */
  readonly forms: boolean;
}

/** What is copied as it is, in the order in which people read it. */
const plainKeys = [
  'description',
  'type',
  'format',
  'default',
  'enum',
  'pattern',
  'minLength',
  'maxLength',
  'minimum',
  'maximum',
  'minItems',
  'maxItems',
  'maxProperties',
] as const;
const structureKeys = [
  'x-kubernetes-map-type',
  'x-kubernetes-list-type',
  'x-kubernetes-list-map-keys',
] as const;
/** Of the keys of a mapping, which a structural schema cannot say: a rule does. */
const droppedKeys = ['propertyNames'] as const;
const childKeys = ['properties', 'required', 'items', 'additionalProperties'] as const;
const knownKeys = new Set<string>([
  ...plainKeys,
  ...structureKeys,
  ...droppedKeys,
  ...childKeys,
  'x-kubernetes-validations',
  formKey,
]);

/**
 * The structural form of a zod schema, as people write it: before defaults and parsing.
 * Asserts that there is one: unions, references and free-form objects have none.
 */
export function openApiSchema(schema: z.ZodType, options: OpenApiOptions): OpenApiSchema {
  return structural(z.toJSONSchema(schema, { target: 'openapi-3.0', io: 'input' }), options, []);
}

function structural(node: unknown, options: OpenApiOptions, path: readonly string[]): OpenApiSchema {
  assert(isRecord(node), `${path.join('.')} has no schema`);
  const unknown = Object.keys(node).filter((key) => !knownKeys.has(key));
  assert(unknown.length === 0, `${path.join('.')} has no structural form: ${unknown.join(', ')}`);
  const written: Record<string, unknown> = {};
  const copy = (keys: readonly string[]) => {
    for (const key of keys) if (node[key] !== undefined) written[key] = node[key];
  };
  copy(plainKeys);
  if (written['minItems'] === 0) delete written['minItems'];
  if (node['type'] === 'integer') written['format'] = integerFormat(node['maximum']);
  if (options.forms) copy([formKey]);
  if (isRecord(node['properties'])) {
    written['properties'] = Object.fromEntries(
      Object.entries(node['properties']).map(([name, child]) => [
        name,
        structural(child, options, [...path, name]),
      ]),
    );
  }
  copy(['required']);
  // Where there are properties it is the mark of `fields`: an API server refuses unknown fields by itself.
  if (node['properties'] === undefined && isRecord(node['additionalProperties'])) {
    written['additionalProperties'] = structural(node['additionalProperties'], options, [...path, '*']);
  }
  if (node['items'] !== undefined) written['items'] = structural(node['items'], options, [...path, '[]']);
  copy([...structureKeys, 'x-kubernetes-validations']);
  assertIsStructural(written, path);
  return written;
}

function assertIsStructural(
  node: object,
  path: readonly string[],
): asserts node is object & Pick<OpenApiSchema, 'type'> {
  assert(
    'type' in node && typeof node.type === 'string',
    `${path.join('.')} has no type of its own; a union or a free-form value has no place in a CRD`,
  );
}

/** API servers keep integers in 64 bits; 32 are said where they suffice. */
function integerFormat(maximum: unknown): 'int32' | 'int64' {
  return typeof maximum === 'number' && maximum < 2 ** 31 ? 'int32' : 'int64';
}

/** The schema with the rules at their nodes. Asserts that each rule has one. */
export function withRules(schema: OpenApiSchema, rules: readonly CelRule[]): OpenApiSchema {
  return rules.reduce((grown, { at, ...validation }) => withValidation(grown, at, validation), schema);
}

function withValidation(
  schema: OpenApiSchema,
  at: readonly string[],
  validation: CelValidation,
): OpenApiSchema {
  const [step, ...rest] = at;
  if (step === undefined) {
    const others = schema['x-kubernetes-validations'] ?? [];
    return { ...schema, 'x-kubernetes-validations': [...others, validation] };
  }
  if (step === '[]') {
    assert(schema.items !== undefined, 'the rule stands at the entries of a list');
    return { ...schema, items: withValidation(schema.items, rest, validation) };
  }
  const child = schema.properties?.[step];
  assert(child !== undefined, `the rule stands at a field that exists: ${step}`);
  return { ...schema, properties: { ...schema.properties, [step]: withValidation(child, rest, validation) } };
}
