import assert from 'node:assert/strict';
import { customResourceDefinitions } from '../../src/api/index.ts';
import type { OpenApiSchema } from '../../src/api/index.ts';
import { ruleProblems } from '../apiserver/cel-rules.ts';
import { anything } from '../apiserver/schema.ts';
import type { Schema } from '../apiserver/schema.ts';
import { prune, withDefaults } from '../apiserver/structure.ts';
import { structureProblems } from '../apiserver/validation.ts';

/** What the API server of the tests says of an object alone: no name, no namespace, no other objects. */
export interface Admission {
  /** The object as it would be stored. */
  readonly stored: unknown;
  readonly problems: readonly AdmissionProblem[];
}

export interface AdmissionProblem {
  /** `spec.ports[0].port` */
  readonly path: string;
  /** What the rule says, without what an API server puts before it. */
  readonly message: string;
}

export const schemas: ReadonlyMap<string, OpenApiSchema> = new Map(
  customResourceDefinitions().map(({ spec }) => {
    const schema = spec.versions[0]?.schema.openAPIV3Schema;
    assert.ok(schema);
    return [spec.names.kind, schema] as const;
  }),
);

/** Metadata is judged by rules that are the same for all kinds. */
const withoutMetadata: ReadonlyMap<string, Schema> = new Map(
  [...schemas].map(([kind, schema]) => [
    kind,
    { ...schema, properties: { ...schema.properties, metadata: anything } },
  ]),
);

export function admit(object: unknown): Admission {
  // JSON knows no undefined: such a field is absent.
  const written: unknown = JSON.parse(JSON.stringify(object));
  const kind =
    typeof written === 'object' && written !== null && 'kind' in written ? String(written.kind) : '';
  const schema = withoutMetadata.get(kind);
  assert.ok(schema, `kind ${kind} has a definition`);
  const { value, unknown } = prune(schema, written);
  const stored = withDefaults(schema, value);
  const structure = structureProblems(schema, stored);
  const problems = [...structure, ...ruleProblems(schema, stored, structure)];
  return {
    stored,
    problems: [
      ...unknown.map((path) => ({ path, message: 'unknown field' })),
      ...problems.map(({ field, text }) => ({ path: field, message: text.replace(preface, '') })),
    ],
  };
}

/** `Forbidden: `, `Invalid value: "x": ` */
const preface = /^(?:Forbidden|Required value|Invalid value): (?:"(?:[^"\\]|\\.)*": )?/;
