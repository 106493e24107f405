/** ValidatingAdmissionPolicies: what they say of a write that is valid and allowed otherwise. */
import { Environment } from '@marcbachmann/cel-js';
import { registerNetworkLibrary } from '../api/cel-environment.ts';
import { ApiError, fieldProblem, forbidden } from './api-error.ts';
import type { FieldProblem } from './api-error.ts';
import { asText, isMapping, valueAt } from './objects.ts';
import type { KubeObject, Mapping } from './objects.ts';
import type { Target } from './resources.ts';
import type { User } from './reviews.ts';
import type { Store } from './store.ts';

export interface AdmissionRequest {
  readonly operation: 'CREATE' | 'UPDATE' | 'DELETE';
  readonly target: Target;
  /** After the write; of a deletion there is none. */
  readonly object: KubeObject | undefined;
  readonly oldObject: KubeObject | undefined;
  readonly isDryRun: boolean;
}

type Program = (scope: Mapping) => unknown;

export class AdmissionPolicies {
  readonly #store: Store;

  constructor(store: Store) {
    this.#store = store;
  }

  /** @throws ApiError of the first policy that denies the request */
  assertAdmitted(request: AdmissionRequest, user: User): void {
    const policies = this.#list('validatingadmissionpolicies');
    if (policies.length === 0) return;
    for (const binding of this.#list('validatingadmissionpolicybindings')) {
      const actions = valueAt(binding, '.spec.validationActions');
      if (!Array.isArray(actions) || !actions.includes('Deny')) continue;
      const policy = policies.find(({ metadata }) => metadata.name === valueAt(binding, '.spec.policyName'));
      if (policy === undefined || !isConstrained(policy, request)) continue;
      const denial = denialOf(policy, scopeOf(request, user));
      if (denial === undefined) continue;
      const { type, name } = request.target;
      const why = `ValidatingAdmissionPolicy '${policy.metadata.name}' with binding '${binding.metadata.name}' denied request: ${denial.message}`;
      const { message, details } = forbidden(type, name, why);
      throw new ApiError(denial.reason === 'Forbidden' ? 403 : 422, denial.reason, message, details);
    }
  }

  #list(plural: string): KubeObject[] {
    return (this.#store.list(`admissionregistration.k8s.io/${plural}`) ?? []).map(([, object]) => object);
  }
}

/** What is wrong with the expressions of a policy as it is written. */
export function policyProblems(policy: KubeObject): FieldProblem[] {
  const found: FieldProblem[] = [];
  const walk = (value: unknown, path: string): void => {
    if (Array.isArray(value)) value.forEach((entry, index) => walk(entry, `${path}[${index}]`));
    if (!isMapping(value)) return;
    for (const [field, child] of Object.entries(value)) {
      const at = `${path}.${field}`;
      if (typeof child !== 'string' || !/^(?:expression|messageExpression)$/.test(field)) walk(child, at);
      else {
        const { error } = environment.check(child);
        if (error !== undefined)
          found.push(fieldProblem(at, 'Invalid', `${JSON.stringify(child)}: ${error.message}`));
      }
    }
  };
  walk(policy['spec'], 'spec');
  return found;
}

const environment = new Environment();
registerNetworkLibrary(environment);
for (const name of ['request', 'object', 'oldObject', 'variables']) environment.registerVariable(name, 'dyn');

const programs = new Map<string, Program>();

function evaluate(expression: string, scope: Mapping): unknown {
  const program = programs.get(expression) ?? (environment.parse(expression) as Program);
  programs.set(expression, program);
  return program(scope);
}

function isConstrained(policy: KubeObject, { operation, target }: AdmissionRequest): boolean {
  const { type, subresource } = target;
  const resource = subresource === undefined ? type.plural : `${type.plural}/${subresource}`;
  const rules = valueAt(policy, '.spec.matchConstraints.resourceRules');
  return (Array.isArray(rules) ? rules : []).filter(isMapping).some((rule) => {
    const has = (field: string, value: string) => {
      const values: unknown = rule[field];
      return Array.isArray(values) && (values.includes('*') || values.includes(value));
    };
    return (
      has('apiGroups', type.group) &&
      has('apiVersions', type.version) &&
      has('operations', operation) &&
      has('resources', resource)
    );
  });
}

function scopeOf(request: AdmissionRequest, user: User): Mapping {
  const { operation, target, object, oldObject, isDryRun } = request;
  const { type, namespace, name, subresource } = target;
  const { group, version, kind, plural } = type;
  const { username, uid, groups, extra } = user;
  return {
    object: celValue(object ?? null),
    oldObject: celValue(oldObject ?? null),
    request: {
      kind: { group, version, kind },
      resource: { group, version, resource: plural },
      // What is empty is not there at all, and to ask for it is an error.
      ...(subresource === undefined ? {} : { subResource: subresource }),
      ...(name === '' ? {} : { name }),
      ...(namespace === '' ? {} : { namespace }),
      operation,
      dryRun: isDryRun,
      userInfo: {
        username,
        groups,
        ...(uid === undefined ? {} : { uid }),
        ...(extra === undefined ? {} : { extra }),
      },
    },
  };
}

interface Denial {
  readonly reason: string;
  readonly message: string;
}

function denialOf(policy: KubeObject, facts: Mapping): Denial | undefined {
  const entries = (field: string) => {
    const value = valueAt(policy, `.spec.${field}`);
    return (Array.isArray(value) ? value : []).filter(isMapping);
  };
  const variables: Mapping = {};
  const scope: Mapping = { ...facts, variables };
  // Each is computed when somebody asks for it, and not before.
  for (const { name, expression } of entries('variables')) {
    Object.defineProperty(variables, asText(name), {
      enumerable: true,
      get: () => evaluate(asText(expression), scope),
    });
  }
  const holds = ({ expression }: Mapping) => evaluate(asText(expression), scope) === true;
  try {
    if (!entries('matchConditions').every(holds)) return undefined;
    const broken = entries('validations').find((validation) => !holds(validation));
    if (broken === undefined) return undefined;
    const { expression, message, messageExpression, reason = 'Invalid' } = broken;
    const said = messageExpression === undefined ? message : evaluate(asText(messageExpression), scope);
    return { reason: asText(reason), message: asText(said) || `failed expression: ${asText(expression)}` };
  } catch (error) {
    if (valueAt(policy, '.spec.failurePolicy') === 'Ignore') return undefined;
    const why = error instanceof Error ? error.message : String(error);
    return { reason: 'Invalid', message: `an expression resulted in error: ${why}` };
  }
}

/** JSON as CEL has it: whole numbers are integers. */
function celValue(value: unknown): unknown {
  if (typeof value === 'number') return Number.isSafeInteger(value) ? BigInt(value) : value;
  if (Array.isArray(value)) return value.map(celValue);
  if (!isMapping(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([field, child]) => [field, celValue(child)]));
}
