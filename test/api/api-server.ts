import assert from 'node:assert/strict';
import { customResourceDefinitions } from '../../src/api/index.ts';
import type { OpenApiSchema } from '../../src/api/index.ts';
import { celNode } from './cel-environment.ts';
import type { CelNode } from './cel-environment.ts';

/**
 * What an API server does with an object before it stores it: defaults, then structure with strict field validation,
 * then the rules in CEL. Written from the documented behaviour of apiextensions.k8s.io/v1, for the part of it that our
 * definitions use.
 */
export interface Admission {
  /** The object as it would be stored. */
  readonly stored: unknown;
  readonly problems: readonly AdmissionProblem[];
}

export interface AdmissionProblem {
  /** `spec.ports[0].port` */
  readonly path: string;
  readonly message: string;
}

export const schemas: ReadonlyMap<string, OpenApiSchema> = new Map(
  customResourceDefinitions().map(({ spec }) => {
    const schema = spec.versions[0]?.schema.openAPIV3Schema;
    assert.ok(schema);
    return [spec.names.kind, schema] as const;
  }),
);

const celNodes = new Map<OpenApiSchema, CelNode>();

/** The CEL of a node of a schema, made once. */
export function celOf(schema: OpenApiSchema): CelNode {
  const known = celNodes.get(schema);
  if (known !== undefined) return known;
  const made = celNode(schema);
  celNodes.set(schema, made);
  return made;
}

export function admit(object: unknown): Admission {
  const kind = isMapping(object) ? String(object['kind']) : '';
  const schema = schemas.get(kind);
  assert.ok(schema, `kind ${kind} has a definition`);
  const stored = withDefaults(schema, object);
  const structure = structureProblems(schema, stored, '');
  // An API server does not evaluate CEL on values of the wrong shape.
  return { stored, problems: structure.length > 0 ? structure : ruleProblems(schema, stored, '') };
}

function isMapping(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function withDefaults(schema: OpenApiSchema, value: unknown): unknown {
  if (Array.isArray(value)) {
    const { items } = schema;
    return items === undefined ? value : value.map((entry: unknown) => withDefaults(items, entry));
  }
  if (!isMapping(value)) return value;
  const complete: Record<string, unknown> = { ...value };
  for (const [field, child] of Object.entries(schema.properties ?? {})) {
    // JSON knows no undefined: such a field is absent.
    if (complete[field] === undefined) delete complete[field];
    const given = Object.hasOwn(complete, field) ? complete[field] : structuredClone(child.default);
    if (given !== undefined) complete[field] = withDefaults(child, given);
  }
  return complete;
}

function structureProblems(schema: OpenApiSchema, value: unknown, path: string): AdmissionProblem[] {
  const problem = (message: string) => [{ path, message }];
  switch (schema.type) {
    case 'object':
      return isMapping(value) ? mappingProblems(schema, value, path) : problem('must be a mapping');
    case 'array':
      return Array.isArray(value) ? listProblems(schema, value, path) : problem('must be a list');
    case 'string':
      return typeof value === 'string' ? textProblems(schema, value, path) : problem('must be text');
    case 'boolean':
      return typeof value === 'boolean' ? [] : problem('must be true or false');
    case 'integer':
    case 'number': {
      if (typeof value !== 'number' || (schema.type === 'integer' && !Number.isSafeInteger(value))) {
        return problem(`must be of type ${schema.type}`);
      }
      const { minimum = Number.NEGATIVE_INFINITY, maximum = Number.POSITIVE_INFINITY } = schema;
      return value < minimum || value > maximum ? problem(`must be ${minimum} to ${maximum}`) : [];
    }
  }
}

function mappingProblems(
  schema: OpenApiSchema,
  value: Record<string, unknown>,
  path: string,
): AdmissionProblem[] {
  const { properties, required = [] } = schema;
  const at = (field: string) => (path === '' ? field : `${path}.${field}`);
  // A mapping without properties is metadata, which the API server judges by rules of its own.
  if (properties === undefined) return [];
  return [
    ...required
      .filter((field) => value[field] === undefined)
      .map((field) => ({ path: at(field), message: 'is required' })),
    ...Object.entries(value).flatMap(([field, child]) => {
      const known = properties[field];
      return known === undefined
        ? [{ path: at(field), message: 'unknown field' }]
        : structureProblems(known, child, at(field));
    }),
  ];
}

function listProblems(schema: OpenApiSchema, value: readonly unknown[], path: string): AdmissionProblem[] {
  const { items, minItems = 0, maxItems = Number.POSITIVE_INFINITY } = schema;
  const problems: AdmissionProblem[] = [];
  if (value.length < minItems || value.length > maxItems) {
    problems.push({ path, message: `must have ${minItems} to ${maxItems} entries` });
  }
  const keys = value.map((entry) => listKey(schema, entry));
  if (schema['x-kubernetes-list-type'] !== 'atomic' && new Set(keys).size < keys.length) {
    problems.push({ path, message: 'has duplicate entries' });
  }
  if (items !== undefined) {
    problems.push(...value.flatMap((entry, index) => structureProblems(items, entry, `${path}[${index}]`)));
  }
  return problems;
}

/** What tells entries of a list apart. */
function listKey(schema: OpenApiSchema, entry: unknown): string {
  const keys = schema['x-kubernetes-list-map-keys'];
  return JSON.stringify(keys === undefined || !isMapping(entry) ? entry : keys.map((key) => entry[key]));
}

function textProblems(schema: OpenApiSchema, value: string, path: string): AdmissionProblem[] {
  const { enum: words, pattern, minLength = 0, maxLength = Number.POSITIVE_INFINITY } = schema;
  if (words !== undefined && !words.includes(value))
    return [{ path, message: `must be one of ${words.join(', ')}` }];
  if (value.length < minLength || value.length > maxLength)
    return [{ path, message: 'has the wrong length' }];
  if (pattern !== undefined && !new RegExp(pattern).test(value))
    return [{ path, message: `must match ${pattern}` }];
  return [];
}

function ruleProblems(schema: OpenApiSchema, value: unknown, path: string): AdmissionProblem[] {
  const problems: AdmissionProblem[] = [];
  for (const validation of schema['x-kubernetes-validations'] ?? []) {
    const node = celOf(schema);
    if (node.evaluate(validation.rule, value) === true) continue;
    const { message, messageExpression, fieldPath = '' } = validation;
    const said = messageExpression === undefined ? message : node.evaluate(messageExpression, value);
    problems.push({ path: `${path}${fieldPath}`, message: String(said) });
  }
  if (Array.isArray(value)) {
    const { items } = schema;
    if (items !== undefined) {
      problems.push(...value.flatMap((entry, index) => ruleProblems(items, entry, `${path}[${index}]`)));
    }
  } else if (isMapping(value)) {
    for (const [field, child] of Object.entries(schema.properties ?? {})) {
      if (value[field] !== undefined) {
        problems.push(...ruleProblems(child, value[field], path === '' ? field : `${path}.${field}`));
      }
    }
  }
  return problems;
}
