/**
 * Reads fields of objects that others define. What is missing or of another type reads as nothing: a field that an API
 * server sends in a form of tomorrow must not cost us the object.
 */
export type Fields = Readonly<Record<string, unknown>>;

const noFields: Fields = {};

/** The mapping in a field; empty when there is none. */
export function fieldsOf(value: unknown): Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Fields) : noFields;
}

export function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

export function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

/** The texts of a list, without what is no text. */
export function textsOf(value: unknown): readonly string[] {
  return listOf(value).filter((item) => typeof item === 'string');
}

/** The texts of a mapping (labels), without what is no text. */
export function textMapOf(value: unknown): Readonly<Record<string, string>> {
  const map: Record<string, string> = {};
  for (const [key, text] of Object.entries(fieldsOf(value))) if (typeof text === 'string') map[key] = text;
  return map;
}
