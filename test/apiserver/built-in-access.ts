/** The kinds that say who may do what: accounts, roles and admission policies. */
import { builtIn, wordOr } from './built-in-type.ts';
import type { ResourceType } from './resource-type.ts';
import { anything, list, struct, text, textMap, texts, yesNo } from './schema.ts';

const rule = struct(
  { apiGroups: texts, resources: texts, verbs: texts, resourceNames: texts, nonResourceURLs: texts },
  'verbs',
);
const labelSelector = struct({ matchLabels: textMap, matchExpressions: list(anything) });
const role = struct({ rules: list(rule) });
const clusterRole = struct({
  rules: list(rule),
  aggregationRule: struct({ clusterRoleSelectors: list(labelSelector) }),
});
const binding = struct(
  {
    subjects: list(struct({ kind: text, apiGroup: text, name: text, namespace: text }, 'kind', 'name')),
    roleRef: struct({ apiGroup: text, kind: text, name: text }, 'apiGroup', 'kind', 'name'),
  },
  'roleRef',
);

const named = struct({ name: text, expression: text }, 'name', 'expression');
/** Selectors, parameters and audit annotations are not known here: whoever uses them is told of an unknown field. */
const policy = struct(
  {
    spec: struct(
      {
        failurePolicy: wordOr('Fail', 'Ignore'),
        matchConstraints: struct({
          matchPolicy: wordOr('Equivalent', 'Exact'),
          resourceRules: list(
            struct(
              {
                apiGroups: texts,
                apiVersions: texts,
                operations: texts,
                resources: texts,
                scope: wordOr('*'),
              },
              'apiGroups',
              'apiVersions',
              'operations',
              'resources',
            ),
          ),
        }),
        matchConditions: list(named, 'name'),
        variables: list(named, 'name'),
        validations: list(
          struct({ expression: text, message: text, messageExpression: text, reason: text }, 'expression'),
        ),
      },
      'matchConstraints',
    ),
    status: anything,
  },
  'spec',
);
const policyBinding = struct(
  { spec: struct({ policyName: text, validationActions: texts }, 'policyName', 'validationActions') },
  'spec',
);

const rbac = 'rbac.authorization.k8s.io';
const admission = 'admissionregistration.k8s.io';

export const accessTypes: readonly ResourceType[] = [
  builtIn(
    'ServiceAccount',
    'serviceaccounts',
    struct({
      automountServiceAccountToken: yesNo,
      imagePullSecrets: list(struct({ name: text }, 'name')),
      secrets: list(anything),
    }),
    { shortNames: ['sa'] },
  ),
  builtIn('Role', 'roles', role, { group: rbac }),
  builtIn('RoleBinding', 'rolebindings', binding, { group: rbac }),
  builtIn('ClusterRole', 'clusterroles', clusterRole, { group: rbac, isClusterWide: true }),
  builtIn('ClusterRoleBinding', 'clusterrolebindings', binding, { group: rbac, isClusterWide: true }),
  builtIn('ValidatingAdmissionPolicy', 'validatingadmissionpolicies', policy, {
    group: admission,
    isClusterWide: true,
    hasStatus: true,
  }),
  builtIn('ValidatingAdmissionPolicyBinding', 'validatingadmissionpolicybindings', policyBinding, {
    group: admission,
    isClusterWide: true,
  }),
];
