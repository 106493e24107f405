import type { CelRule } from './cel.ts';

/** Where a value sits inside an object: `['spec', 'ports', 0, 'port']`. */
export type FieldPath = readonly (string | number)[];

/** One thing that is wrong with one object, as far as the object alone can tell. */
export interface ResourceProblem {
  /** The offending field; for a missing field, the field that is missing; for an unknown one, the unknown one. */
  readonly path: FieldPath;
  /** A sentence that a person can act on; it names the field by its path. */
  readonly message: string;
  /** CamelCase, stable, as in a condition: `UnknownField`, `InvalidValue`, `SchedulerFlagMismatch`. */
  readonly reason: string;
}

/** `spec.ports[0].port`; keys that are not plain words are quoted: `metadata.labels["a/b"]`. */
export function formatFieldPath(path: FieldPath): string {
  let text = '';
  for (const step of path) {
    if (typeof step === 'number') text += `[${step}]`;
    else if (/^[A-Za-z_][\w-]*$/.test(step)) text += text === '' ? step : `.${step}`;
    else text += `[${JSON.stringify(step)}]`;
  }
  return text;
}

/**
 * A rule about several fields of one object, which a structural schema cannot say. Rules are a named table and not
 * refinements inside the schema, so that CRD generation can mirror each of them and one test table covers both.
 */
export interface ObjectRule<Spec> {
  /** The `reason` of its problems. */
  readonly name: string;
  /** What holds for every valid spec, in one sentence, for the documentation. */
  readonly promise: string;
  /** Paths begin at the object; messages do not repeat them. Empty: the rule holds. */
  readonly violations: (spec: Spec) => readonly RuleViolation[];
}

/** A rule of a kind that a Kubernetes API server keeps: it judges the same in CEL. */
export interface ResourceRule<Spec> extends ObjectRule<Spec> {
  /** Empty when the type of a list (a set, or a map with keys) says it all. */
  readonly cel: readonly CelRule[];
  /** What only a director can tell, and why, in one sentence for the documentation. */
  readonly beyondApiServer?: string;
}

export interface RuleViolation {
  readonly path: FieldPath;
  readonly message: string;
}
