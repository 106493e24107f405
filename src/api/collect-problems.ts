import type * as z from 'zod';
import { formatFieldPath } from './problem.ts';
import type { FieldPath, ObjectRule, ResourceProblem } from './problem.ts';

export type ParseResult<Parsed> =
  | { readonly ok: true; readonly value: Parsed }
  | { readonly ok: false; readonly problems: readonly ResourceProblem[] };

export interface ParseOptions {
  /**
   * What becomes of fields that no schema of ours knows. `ignore` is for objects of an API server: it has refused or
   * dropped what its definitions do not know, so what is left belongs to a later version than this program.
   * @default 'refuse'
   */
  readonly unknownFields?: 'refuse' | 'ignore';
}

/** Parses with a schema and turns zod's issues into problems, one per field, in the order of the schema. */
export function parseWith<Schema extends z.ZodType>(
  schema: Schema,
  value: unknown,
  { unknownFields = 'refuse' }: ParseOptions = {},
): ParseResult<z.output<Schema>> {
  let result = schema.safeParse(value);
  if (!result.success && unknownFields === 'ignore') {
    const known = withoutUnknownFields(value, result.error.issues);
    if (known !== undefined) result = schema.safeParse(known);
  }
  if (result.success) return { ok: true, value: result.data };
  const problems = new Map<string, ResourceProblem>();
  for (const issue of result.error.issues) {
    for (const problem of problemsOfIssue(issue)) {
      // An integer outside of every limit fails several checks with one message.
      problems.set(JSON.stringify([problem.path, problem.message]), problem);
    }
  }
  return { ok: false, problems: [...problems.values()] };
}

/** What the rules of a kind have to say about a spec whose structure is valid. */
export function checkRules<Spec>(rules: readonly ObjectRule<Spec>[], spec: Spec): readonly ResourceProblem[] {
  return rules.flatMap((rule) =>
    rule.violations(spec).map(({ path, message }) => problem(path, message, rule.name)),
  );
}

/** A problem whose message begins with the field. */
export function problem(path: FieldPath, message: string, reason: string): ResourceProblem {
  return { path, message: `${path.length === 0 ? 'the object' : formatFieldPath(path)} ${message}`, reason };
}

function problemsOfIssue(issue: z.core.$ZodIssue): readonly ResourceProblem[] {
  const path = issue.path.map((step) => (typeof step === 'number' ? step : String(step)));
  if (issue.code === 'unrecognized_keys') {
    // `fields` writes one line per key.
    const messages = issue.message.split('\n');
    return issue.keys.map((key, index) =>
      problem([...path, key], messages[index] ?? issue.message, 'UnknownField'),
    );
  }
  const reason = issue.message.startsWith('is required') ? 'MissingField' : 'InvalidValue';
  return [problem(path, issue.message, reason)];
}

/** A copy of the value without the fields that the issues call unknown; undefined: they call none so. */
function withoutUnknownFields(value: unknown, issues: readonly z.core.$ZodIssue[]): unknown {
  const unknown = issues.filter((issue) => issue.code === 'unrecognized_keys');
  if (unknown.length === 0) return undefined;
  const copy = structuredClone(value);
  for (const issue of unknown) {
    const parent = issue.path.reduce<unknown>(
      (node, step) => (typeof node === 'object' && node !== null ? Reflect.get(node, step) : undefined),
      copy,
    );
    if (typeof parent !== 'object' || parent === null) continue;
    for (const key of issue.keys) Reflect.deleteProperty(parent, key);
  }
  return copy;
}
