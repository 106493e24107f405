import * as z from 'zod';
import type { Condition } from './conditions.ts';
import { choice, integer, keyedList, lenientFields, text, timestamp, words } from './fields.ts';
import type { Immutable } from './immutable.ts';
import { isRecord } from './is-record.ts';

/** The building blocks of statuses: what the operator writes, and reads back with patience. */

/** Every limit is that of metav1.Condition. */
const conditionSchema = lenientFields({
  type: text('a type of condition', /^[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$/, 316).describe(
    'What the condition is about, such as Ready.',
  ),
  status: choice(['True', 'False', 'Unknown']).describe('Whether it holds.'),
  reason: text('a word in CamelCase', /^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$/, 1024).describe(
    'One word for programs that says why.',
  ),
  message: words('a sentence', 32768).describe('A sentence for people that says why.'),
  lastTransitionTime: timestamp().describe('When the status of the condition last changed.'),
  observedGeneration: count().optional().describe('Generation of the object that this was judged on.'),
});

conditionSchema satisfies z.ZodType<Condition>;

/** A number of things. */
export function count() {
  return integer(0, Number.MAX_SAFE_INTEGER);
}

/** `null`-free and opaque to people; compared as numbers, which Kubernetes allows since 1.35 (KEP-5504). */
export function resourceVersion() {
  return text('a resource version', /^\d{1,64}$/, 64).optional();
}

/**
 * Part of every status.
 * @param conditions the types of its conditions, and what each says when it is True.
 */
export function commonStatus(conditions: Readonly<Record<string, string>>) {
  const told = Object.entries(conditions).map(([type, meaning]) => `${type}: ${meaning}.`);
  return {
    observedGeneration: count()
      .optional()
      .describe(
        'Generation of the object that the rest of the status is about. When metadata.generation is higher, the last edit ' +
          'has not been looked at yet.',
      ),
    conditions: keyedList(conditionSchema, ['type'], 0, 16)
      .optional()
      .describe(`What holds for the object and what does not, one entry per type. ${told.join(' ')}`),
  };
}

type ListKeys<Fields> = {
  [Key in keyof Fields]-?: NonNullable<Fields[Key]> extends readonly unknown[] ? Key : never;
}[keyof Fields];

/** A status as our programs hold it: its lists are there, if only empty, and the rest is there when it is known. */
export type StatusOf<Schema extends z.ZodObject> = Immutable<
  { [Key in ListKeys<z.output<Schema>>]-?: NonNullable<z.output<Schema>[Key]> } & Omit<
    z.output<Schema>,
    ListKeys<z.output<Schema>>
  >
>;

/**
 * Reads a status that anything may have written: a field that is malformed is absent, and so is an entry of a list.
 * Unknown fields are those of another version and are skipped.
 */
export function readStatus<Schema extends z.ZodObject>(schema: Schema, status: unknown): StatusOf<Schema> {
  const read: Record<string, unknown> = {};
  for (const [name, field] of Object.entries(schema.shape)) {
    const value = isRecord(status) && Object.hasOwn(status, name) ? status[name] : undefined;
    const bare = field instanceof z.ZodOptional ? field.unwrap() : field;
    if (bare instanceof z.ZodArray) {
      read[name] = Array.isArray(value) ? value.flatMap((entry) => parsed(bare.element, entry)) : [];
    } else {
      const [known] = value === undefined ? [] : parsed(bare, value);
      if (known !== undefined) read[name] = known;
    }
  }
  return read as StatusOf<Schema>;
}

function parsed(schema: z.core.$ZodType, value: unknown): unknown[] {
  const result = z.safeParse(schema, value);
  return result.success ? [result.data] : [];
}
