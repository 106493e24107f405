import type { OpenApiSchema } from '../../src/api/index.ts';

/**
 * What an API server demands of the schema of a definition (kubernetes KEP 1693, structural schemas, and the validation of
 * apiextensions.k8s.io/v1), written here from the documentation and not from our generator.
 */
export function structuralViolations(root: unknown): string[] {
  const violations: string[] = [];
  const report = (path: string, what: string) => violations.push(`${path}: ${what}`);
  const walk = (node: unknown, path: string, isRoot: boolean) => {
    if (typeof node !== 'object' || node === null || Array.isArray(node)) {
      report(path, 'is no schema');
      return;
    }
    const schema = new Map<string, unknown>(Object.entries(node));
    for (const key of schema.keys()) if (!allowedKeys.has(key)) report(path, `"${key}" is not allowed`);
    const type = schema.get('type');
    if (typeof type !== 'string' || !types.has(type)) report(path, `type ${String(type)}`);
    if (schema.has('properties') && type !== 'object') report(path, 'properties of no object');
    if (type === 'array' && !schema.has('items')) report(path, 'a list without items');
    if (schema.has('items') && type !== 'array') report(path, 'items of no list');
    if (schema.has('x-kubernetes-list-type') !== (type === 'array')) report(path, 'the list type');
    if (schema.has('additionalProperties') && (type !== 'object' || schema.has('properties'))) {
      report(path, 'additionalProperties beside properties, or of no object');
    }
    if (schema.has('x-kubernetes-map-type') && type !== 'object') report(path, 'a map type of no object');
    if (schema.has('maxProperties') && type !== 'object') report(path, 'maxProperties of no object');
    if (isRoot && (type !== 'object' || schema.has('default'))) report(path, 'the root is a plain object');
    const pattern = schema.get('pattern');
    // Go's RE2 has neither lookaround nor references, and repeats nothing more than 1000 times.
    if (typeof pattern === 'string' && /\(\?[=!<]|\\[1-9k]|\d{5}\}|[1-9]\d{3}\}/.test(pattern)) {
      report(path, 'a pattern beyond RE2');
    }
    const properties = entriesOf(schema.get('properties'));
    const required = schema.get('required');
    if (Array.isArray(required)) {
      for (const name of required) {
        const child = properties.find(([field]) => field === name)?.[1];
        if (child === undefined) report(path, `requires ${String(name)}, which it does not have`);
      }
    }
    for (const violation of listTypeViolations(schema)) report(path, violation);
    const metadata = entriesOf(properties.find(([field]) => field === 'metadata')?.[1]);
    if (metadata.some(([key]) => key !== 'type')) report(path, 'metadata says more than its type');
    for (const [name, child] of properties) walk(child, `${path}.${name}`, false);
    if (schema.has('additionalProperties')) walk(schema.get('additionalProperties'), `${path}.*`, false);
    if (schema.has('items')) walk(schema.get('items'), `${path}[]`, false);
  };
  walk(root, '', true);
  return violations;
}

const types = new Set(['object', 'array', 'string', 'integer', 'number', 'boolean']);

const allowedKeys = new Set([
  'type',
  'description',
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
  'properties',
  'additionalProperties',
  'required',
  'items',
  'x-kubernetes-map-type',
  'x-kubernetes-list-type',
  'x-kubernetes-list-map-keys',
  'x-kubernetes-validations',
]);

/** Entries of a set are scalars; the keys of a map are scalars that are always there. */
function listTypeViolations(schema: ReadonlyMap<string, unknown>): string[] {
  const items = new Map<string, unknown>(entriesOf(schema.get('items')));
  const listType = schema.get('x-kubernetes-list-type');
  const keys = schema.get('x-kubernetes-list-map-keys');
  if (listType === 'set') return items.get('type') === 'string' ? [] : ['a set of what is no scalar'];
  if (listType !== 'map') return keys === undefined ? [] : ['keys without a map'];
  if (!Array.isArray(keys) || keys.length === 0) return ['a map without keys'];
  const fields = new Map<string, unknown>(entriesOf(items.get('properties')));
  const required = items.get('required');
  return keys.flatMap((key: unknown) => {
    const field = new Map<string, unknown>(entriesOf(fields.get(String(key))));
    const isThere = field.has('default') || (Array.isArray(required) && required.includes(key));
    return /^(?:string|integer|boolean)$/.test(String(field.get('type'))) && isThere
      ? []
      : [`key ${String(key)} may be absent or is no scalar`];
  });
}

function entriesOf(value: unknown): [string, unknown][] {
  return typeof value === 'object' && value !== null ? Object.entries(value) : [];
}

/** Every node of a schema with its path: `.spec.ports[].port`; the values of a mapping with keys of any name: `.*`. */
export function nodesOf(schema: OpenApiSchema, path = ''): [path: string, node: OpenApiSchema][] {
  return [
    [path, schema],
    ...Object.entries(schema.properties ?? {}).flatMap(([name, child]) => nodesOf(child, `${path}.${name}`)),
    ...(schema.additionalProperties === undefined ? [] : nodesOf(schema.additionalProperties, `${path}.*`)),
    ...(schema.items === undefined ? [] : nodesOf(schema.items, `${path}[]`)),
  ];
}
