import type { OpenApiSchema } from './open-api.ts';

/**
 * The schema with limits and defaults in the descriptions of its numbers, words and flags: `kubectl explain` shows
 * nothing but types and descriptions.
 */
export function withSpokenDefaults(schema: OpenApiSchema): OpenApiSchema {
  const { properties, items, description } = schema;
  const said = [description ?? '', limitsOf(schema), defaultOf(schema)].filter((part) => part !== '');
  return {
    ...schema,
    ...(description === undefined ? {} : { description: said.join(' ') }),
    ...(properties === undefined
      ? {}
      : {
          properties: Object.fromEntries(
            Object.entries(properties).map(([name, child]) => [name, withSpokenDefaults(child)]),
          ),
        }),
    ...(items === undefined ? {} : { items: withSpokenDefaults(items) }),
  };
}

function limitsOf({ minimum, maximum, minItems = 0, maxItems }: OpenApiSchema): string {
  if (minimum !== undefined && maximum !== undefined) return `From ${minimum} to ${maximum}.`;
  if (maxItems === undefined) return '';
  return minItems === 0 ? `At most ${maxItems} entries.` : `From ${minItems} to ${maxItems} entries.`;
}

/** A default of many fields is told at each of them, and an empty list is told by what it means. */
function defaultOf({ default: value }: OpenApiSchema): string {
  return typeof value === 'object' || value === undefined
    ? ''
    : `Default ${JSON.stringify(value).replaceAll('"', '')}.`;
}
