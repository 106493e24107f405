/** x-kubernetes-validations, with the errors that an API server makes of them. */
import type { OpenApiSchema } from '../../src/api/index.ts';
import { celNode } from '../api/cel-environment.ts';
import type { CelNode } from '../api/cel-environment.ts';
import { fieldProblem } from './api-error.ts';
import type { FieldProblem } from './api-error.ts';
import { isMapping } from './objects.ts';
import type { Schema } from './schema.ts';
import { childSchema } from './structure.ts';

const nodes = new WeakMap<OpenApiSchema, CelNode>();

/** The CEL of a node of a schema, made once. */
export function celOf(schema: OpenApiSchema): CelNode {
  const known = nodes.get(schema);
  if (known !== undefined) return known;
  const made = celNode(schema);
  nodes.set(schema, made);
  return made;
}

/** Errors after which rules are not tried, because the values they look at may have the wrong shape. */
const blocking = /^FieldValue(?:NotSupported|Required|TooLong|TooMany|TypeInvalid)$/;

/** @param earlier what structural validation found */
export function ruleProblems(
  schema: Schema,
  value: unknown,
  earlier: readonly FieldProblem[],
): FieldProblem[] {
  if (!earlier.some(({ reason }) => blocking.test(reason))) return walk(schema, value, '');
  const why =
    'some validation rules were not checked because the object was invalid; correct the existing errors to complete validation';
  return [fieldProblem('<nil>', 'Invalid', `null: ${why}`)];
}

function walk(schema: Schema, value: unknown, path: string): FieldProblem[] {
  const problems = (schema['x-kubernetes-validations'] ?? []).flatMap((validation): FieldProblem[] => {
    const node = celOf(schema);
    if (node.evaluate(validation.rule, value) === true) return [];
    const { messageExpression, reason, fieldPath = '' } = validation;
    const said = messageExpression === undefined ? undefined : node.evaluate(messageExpression, value);
    const message = typeof said === 'string' ? said : validation.message;
    const at = `${path}${fieldPath}`;
    const field = path === '' ? at.replace(/^\./, '') : at;
    switch (reason) {
      case 'FieldValueForbidden':
        return [fieldProblem(field, 'Forbidden', message)];
      case 'FieldValueRequired':
        return [fieldProblem(field, 'Required', message)];
      case undefined:
        break;
    }
    const isShown = typeof said !== 'string' && (typeof value !== 'object' || value === null);
    return [fieldProblem(field, 'Invalid', `${isShown ? `${JSON.stringify(value)}: ` : ''}${message}`)];
  });
  if (Array.isArray(value)) {
    const { items } = schema;
    if (items !== undefined) {
      problems.push(...value.flatMap((entry, index) => walk(items, entry, `${path}[${index}]`)));
    }
  } else if (isMapping(value)) {
    for (const [field, child] of Object.entries(value)) {
      const known = childSchema(schema, field);
      if (known !== undefined) problems.push(...walk(known, child, path === '' ? field : `${path}.${field}`));
    }
  }
  return problems;
}
