/** What happens to an object between its bytes and its rules: unknown fields, nulls, defaults. */
import { isMapping } from './objects.ts';
import type { Mapping } from './objects.ts';
import type { Schema } from './schema.ts';

/** The object without what its schema does not know, and the paths of that: `spec.ports[0].colour`. */
export function prune(
  schema: Schema,
  value: unknown,
): { readonly value: unknown; readonly unknown: readonly string[] } {
  const unknown: string[] = [];
  const walk = (node: Schema, at: unknown, path: string): unknown => {
    if (Array.isArray(at)) {
      const { items } = node;
      return items === undefined
        ? at
        : at.map((entry: unknown, index) => walk(items, entry, `${path}[${index}]`));
    }
    if (!isMapping(at)) return at;
    const kept: Mapping = {};
    for (const [field, child] of Object.entries(at)) {
      const where = path === '' ? field : `${path}.${field}`;
      const known = childSchema(node, field);
      if (known !== undefined) kept[field] = walk(known, child, where);
      else if (node['x-kubernetes-preserve-unknown-fields'] === true) kept[field] = child;
      else unknown.push(where);
    }
    return kept;
  };
  const kept = walk(schema, value, '');
  return { value: kept, unknown: unknown.sort() };
}

export function childSchema(schema: Schema, field: string): Schema | undefined {
  const { properties } = schema;
  if (properties !== undefined && Object.hasOwn(properties, field)) return properties[field];
  return schema.additionalProperties;
}

/** Defaults where a field is absent or null; a null of a field that knows none is absent. */
export function withDefaults(schema: Schema, value: unknown): unknown {
  if (Array.isArray(value)) {
    const { items } = schema;
    return items === undefined ? value : value.map((entry: unknown) => withDefaults(items, entry));
  }
  if (!isMapping(value)) return value;
  const complete: Mapping = {};
  for (const [field, child] of Object.entries(value)) {
    const known = childSchema(schema, field);
    if (child === null && known !== undefined && known.nullable !== true) continue;
    complete[field] = known === undefined ? child : withDefaults(known, child);
  }
  for (const [field, child] of Object.entries(schema.properties ?? {})) {
    if (Object.hasOwn(complete, field) || child.default === undefined) continue;
    complete[field] = withDefaults(child, structuredClone(child.default));
  }
  return complete;
}
