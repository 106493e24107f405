/** Structural validation in the words of apiextensions-apiserver, which takes them from go-openapi. */
import { fieldProblem } from './api-error.ts';
import type { FieldProblem } from './api-error.ts';
import { canonical, isMapping } from './objects.ts';
import type { Mapping } from './objects.ts';
import type { Schema } from './schema.ts';
import { childSchema } from './structure.ts';

export function structureProblems(schema: Schema, value: unknown, path = ''): FieldProblem[] {
  if (schema['x-kubernetes-int-or-string'] === true) {
    return typeof value === 'string' || Number.isSafeInteger(value)
      ? []
      : [wrongType(path, 'integer,string', value)];
  }
  if (value === null && schema.nullable === true) return [];
  switch (schema.type) {
    case 'object':
      return isMapping(value) ? mappingProblems(schema, value, path) : [wrongType(path, 'object', value)];
    case 'array':
      return Array.isArray(value) ? listProblems(schema, value, path) : [wrongType(path, 'array', value)];
    case 'string':
      return typeof value === 'string'
        ? textProblems(schema, value, path)
        : [wrongType(path, 'string', value)];
    case 'boolean':
      return typeof value === 'boolean' ? [] : [wrongType(path, 'boolean', value)];
    case 'integer':
      return Number.isSafeInteger(value)
        ? numberProblems(schema, Number(value), path)
        : [wrongType(path, 'integer', value)];
    case 'number':
      return typeof value === 'number'
        ? numberProblems(schema, value, path)
        : [wrongType(path, 'number', value)];
  }
}

function wrongType(path: string, type: string, value: unknown): FieldProblem {
  const actual = typeName(value);
  return fieldProblem(
    path === '' ? '<nil>' : path,
    'TypeInvalid',
    `"${actual}": ${path} in body must be of type ${type}: "${actual}"`,
  );
}

function typeName(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'array';
  if (typeof value === 'number') return Number.isInteger(value) ? 'integer' : 'number';
  return typeof value;
}

function mappingProblems(schema: Schema, value: Mapping, path: string): FieldProblem[] {
  const at = (field: string) => (path === '' ? field : `${path}.${field}`);
  return [
    ...(schema.required ?? [])
      .filter((field) => value[field] === undefined)
      .map((field) => fieldProblem(at(field), 'Required')),
    ...Object.entries(value).flatMap(([field, child]) => {
      const known = childSchema(schema, field);
      return known === undefined ? [] : structureProblems(known, child, at(field));
    }),
  ];
}

function listProblems(schema: Schema, value: readonly unknown[], path: string): FieldProblem[] {
  const { items, minItems = 0, maxItems = Number.POSITIVE_INFINITY } = schema;
  const problems: FieldProblem[] = [];
  if (value.length < minItems) {
    problems.push(
      fieldProblem(
        path,
        'Invalid',
        `${value.length}: ${path} in body should have at least ${minItems} items`,
      ),
    );
  }
  if (value.length > maxItems) {
    problems.push(fieldProblem(path, 'TooMany', `${value.length}: must have at most ${maxItems} items`));
  }
  if (items !== undefined) {
    problems.push(...value.flatMap((entry, index) => structureProblems(items, entry, `${path}[${index}]`)));
  }
  if ((schema['x-kubernetes-list-type'] ?? 'atomic') === 'atomic') return problems;
  const seen = new Set<string>();
  for (const [index, entry] of value.entries()) {
    const key = listKey(schema, entry);
    if (seen.has(key)) problems.push(fieldProblem(`${path}[${index}]`, 'Duplicate', key));
    seen.add(key);
  }
  return problems;
}

/** What tells the entries of a set or a map apart, in one spelling. */
export function listKey(schema: Schema, entry: unknown): string {
  const keys = schema['x-kubernetes-list-map-keys'];
  if (keys === undefined || !isMapping(entry)) return canonical(entry);
  return canonical(
    Object.fromEntries(
      keys.flatMap((key) => {
        const value = entry[key] ?? schema.items?.properties?.[key]?.default;
        return value === undefined ? [] : [[key, value]];
      }),
    ),
  );
}

function textProblems(schema: Schema, value: string, path: string): FieldProblem[] {
  const { enum: wanted, pattern, minLength = 0, maxLength = Number.POSITIVE_INFINITY, format } = schema;
  const shown = JSON.stringify(value);
  const problems: FieldProblem[] = [];
  const length = Array.from(value).length;
  if (length > maxLength) {
    problems.push(fieldProblem(path, 'TooLong', `may not be more than ${maxLength} bytes`));
  }
  const say = (what: string) =>
    problems.push(fieldProblem(path, 'Invalid', `${shown}: ${path} in body ${what}`));
  if (length < minLength) say(`should be at least ${minLength} chars long`);
  if (pattern !== undefined && !new RegExp(pattern, 'u').test(value)) say(`should match '${pattern}'`);
  if (format === 'date-time' && !isTime(value)) {
    problems.push(
      fieldProblem(path, 'TypeInvalid', `${shown}: ${path} in body must be of type date-time: ${shown}`),
    );
  }
  if (wanted !== undefined && !wanted.includes(value)) {
    const supported = wanted.map((word) => JSON.stringify(word)).join(', ');
    problems.push(fieldProblem(path, 'NotSupported', `${shown}: supported values: ${supported}`));
  }
  return problems;
}

function isTime(value: string): boolean {
  return (
    /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d+)?(?:Z|[+-]\d{2}:\d{2})$/i.test(value) &&
    Number.isFinite(Date.parse(value))
  );
}

function numberProblems(schema: Schema, value: number, path: string): FieldProblem[] {
  const { minimum = Number.NEGATIVE_INFINITY, maximum = Number.POSITIVE_INFINITY } = schema;
  const say = (what: string) => [
    fieldProblem(path, 'Invalid', `${value}: ${path} in body should be ${what}`),
  ];
  if (value < minimum) return say(`greater than or equal to ${minimum}`);
  return value > maximum ? say(`less than or equal to ${maximum}`) : [];
}
