import type { CelRule } from './cel.ts';
import { choice, fields, list, text, textMap } from './fields.ts';
import type { Immutable } from './immutable.ts';
import type { FieldPath, RuleViolation } from './problem.ts';

/** A name of up to 63 characters, with the DNS name of its inventor before a slash if it has one. */
const labelKeyForm = 'the key of a label, such as app or app.kubernetes.io/name';
const labelKeyPattern =
  /^([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?[/])?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/;
const labelKey = text(labelKeyForm, labelKeyPattern, 317);

const labelValue = text(
  'the value of a label: at most 63 letters, digits, "-", "_" and ".", beginning and ending with a letter or digit',
  /^([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?$/,
  63,
);

const requirementSchema = fields({
  key: labelKey.describe('Key of the label.'),
  operator: choice(['In', 'NotIn', 'Exists', 'DoesNotExist']).describe(
    'In: the label has one of the values. NotIn: it has none of them, or is absent. Exists and DoesNotExist: whether ' +
      'there is such a label, whatever its value.',
  ),
  values: list(labelValue, 0, 64)
    .optional()
    .describe('Values for In and NotIn, at least one; none for Exists and DoesNotExist.'),
});

/** How Kubernetes chooses objects by their labels. Whoever applies it owns the whole of it. */
export function labelSelector() {
  return fields({
    matchLabels: textMap(labelKey, labelValue, 64)
      .optional()
      .describe('Labels that an object must have, each with this value.'),
    matchExpressions: list(requirementSchema, 0, 64)
      .optional()
      .describe('Further requirements; an object must meet all of them.'),
  }).meta({ 'x-kubernetes-map-type': 'atomic' });
}

export interface LabelSelector {
  readonly matchLabels?: Readonly<Record<string, string>> | undefined;
  readonly matchExpressions?: readonly LabelRequirement[] | undefined;
}

type LabelRequirement = Immutable<(typeof requirementSchema)['_zod']['output']>;

/** Whether a selector chooses an object with these labels. An empty selector chooses everything, as in Kubernetes. */
export function matchesLabels(
  { matchLabels = {}, matchExpressions = [] }: LabelSelector,
  labels: Readonly<Record<string, string>>,
): boolean {
  for (const key of Object.keys(matchLabels)) if (valueOf(labels, key) !== matchLabels[key]) return false;
  return matchExpressions.every((requirement) => isMet(requirement, valueOf(labels, requirement.key)));
}

/** A label that is called like something that every object inherits is absent all the same. */
function valueOf(labels: Readonly<Record<string, string>>, key: string): string | undefined {
  return Object.hasOwn(labels, key) ? labels[key] : undefined;
}

function isMet({ operator, values = [] }: LabelRequirement, value: string | undefined): boolean {
  switch (operator) {
    case 'In':
      return value !== undefined && values.includes(value);
    case 'NotIn':
      return value === undefined || !values.includes(value);
    case 'Exists':
      return value !== undefined;
    case 'DoesNotExist':
      return value === undefined;
  }
}

export const selectorPromise =
  'In and NotIn of a selector have at least one value, Exists and DoesNotExist none.';

/** Violations of the rule that binds the values of a requirement to its operator. */
export function selectorViolations(
  selector: LabelSelector | undefined,
  path: FieldPath,
): readonly RuleViolation[] {
  return (selector?.matchExpressions ?? []).flatMap(({ operator, values = [] }, index) => {
    const needsValues = operator === 'In' || operator === 'NotIn';
    if (needsValues === values.length > 0) return [];
    return [
      {
        path: [...path, 'matchExpressions', index, 'values'],
        message: needsValues
          ? `must not be empty: ${operator} compares with them`
          : `must be empty: ${operator} asks for the key alone`,
      },
    ];
  });
}

/** The same in CEL, and the form of the keys of `matchLabels`, of which structure says nothing. `path` leads to the selector. */
export function selectorCel(path: readonly string[]): readonly CelRule[] {
  const requirement = [...path, 'matchExpressions', '[]'];
  const hasValues = 'has(self.values) && self.values.size() > 0';
  return [
    {
      at: [...path, 'matchLabels'],
      rule: `self.all(key, key.matches('${labelKeyPattern.source}'))`,
      message: `must have keys that are each ${labelKeyForm}`,
    },
    {
      at: requirement,
      rule: `(self.operator != 'In' && self.operator != 'NotIn') || (${hasValues})`,
      message: 'must not be empty: In and NotIn compare with them',
      messageExpression: "'must not be empty: %s compares with them'.format([self.operator])",
      fieldPath: '.values',
      reason: 'FieldValueRequired',
    },
    {
      at: requirement,
      rule: `self.operator == 'In' || self.operator == 'NotIn' || !(${hasValues})`,
      message: 'must be empty: Exists and DoesNotExist ask for the key alone',
      messageExpression: "'must be empty: %s asks for the key alone'.format([self.operator])",
      fieldPath: '.values',
      reason: 'FieldValueForbidden',
    },
  ];
}
