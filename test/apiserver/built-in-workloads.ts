/**
 * The kinds of which a chart is made beside roles: workloads, budgets, policies. With the fields that ours uses and no
 * others, so that a misspelt one is told; what a pod template may say beyond them is in the real API server.
 */
import { builtIn, intOrString, wordOr } from './built-in-type.ts';
import type { ResourceType } from './resource-type.ts';
import { anything, integer, list, struct, text, textMap, texts, yesNo } from './schema.ts';
import type { Schema } from './schema.ts';

const selector = struct({
  matchLabels: textMap,
  matchExpressions: list(struct({ key: text, operator: text, values: texts }, 'key', 'operator')),
});
const port: Schema = { ...integer, minimum: 1, maximum: 65_535 };
const localReferences = list(struct({ name: text }, 'name'), 'name');

const probe = struct({
  httpGet: struct({ path: text, port: intOrString, scheme: wordOr('HTTP', 'HTTPS'), host: text }, 'port'),
  periodSeconds: integer,
  timeoutSeconds: integer,
  failureThreshold: integer,
  successThreshold: integer,
  initialDelaySeconds: integer,
});
const seccompProfile = struct({ type: text, localhostProfile: text }, 'type');
const seLinuxOptions = struct({ user: text, role: text, type: text, level: text });
const identity = {
  runAsUser: integer,
  runAsGroup: integer,
  runAsNonRoot: yesNo,
  seccompProfile,
  seLinuxOptions,
};
const containerSecurity = struct({
  ...identity,
  allowPrivilegeEscalation: yesNo,
  privileged: yesNo,
  readOnlyRootFilesystem: yesNo,
  capabilities: struct({ add: texts, drop: texts }),
});
const env = list(
  struct(
    {
      name: text,
      value: text,
      valueFrom: struct({ fieldRef: struct({ fieldPath: text, apiVersion: text }, 'fieldPath') }),
    },
    'name',
  ),
  'name',
);
const container = struct(
  {
    name: text,
    image: text,
    imagePullPolicy: text,
    command: texts,
    args: texts,
    env,
    ports: list(
      struct(
        { name: text, containerPort: port, hostPort: port, protocol: wordOr('TCP', 'UDP', 'SCTP') },
        'containerPort',
      ),
    ),
    startupProbe: probe,
    livenessProbe: probe,
    readinessProbe: probe,
    securityContext: containerSecurity,
    resources: struct({ requests: anything, limits: anything }),
    volumeMounts: list(
      struct({ name: text, mountPath: text, readOnly: yesNo, subPath: text }, 'name', 'mountPath'),
    ),
  },
  'name',
  'image',
);
const volume = struct(
  {
    name: text,
    hostPath: struct({ path: text, type: text }, 'path'),
    configMap: struct({ name: text, items: list(anything), optional: yesNo }),
    emptyDir: struct({ medium: text, sizeLimit: intOrString }),
  },
  'name',
);
const podSpec = struct(
  {
    serviceAccountName: text,
    automountServiceAccountToken: yesNo,
    enableServiceLinks: yesNo,
    hostNetwork: yesNo,
    dnsPolicy: text,
    restartPolicy: wordOr('Always', 'OnFailure', 'Never'),
    terminationGracePeriodSeconds: integer,
    activeDeadlineSeconds: integer,
    priorityClassName: text,
    imagePullSecrets: localReferences,
    securityContext: struct(identity),
    initContainers: list(container, 'name'),
    containers: { ...list(container, 'name'), minItems: 1 },
    volumes: list(volume, 'name'),
    nodeSelector: textMap,
    tolerations: list(
      struct({ key: text, operator: text, value: text, effect: text, tolerationSeconds: integer }),
    ),
    affinity: struct({ nodeAffinity: anything, podAffinity: anything, podAntiAffinity: anything }),
    topologySpreadConstraints: list(
      struct(
        {
          maxSkew: integer,
          topologyKey: text,
          whenUnsatisfiable: text,
          labelSelector: selector,
          matchLabelKeys: texts,
        },
        'maxSkew',
        'topologyKey',
        'whenUnsatisfiable',
      ),
    ),
  },
  'containers',
);
const template = struct({ metadata: struct({ labels: textMap, annotations: textMap }), spec: podSpec });
const rollingUpdate = struct({ maxUnavailable: intOrString, maxSurge: intOrString });
const strategy = struct({ type: text, rollingUpdate });

const deployment = struct({
  spec: struct(
    {
      replicas: integer,
      selector,
      strategy,
      template,
      minReadySeconds: integer,
      revisionHistoryLimit: integer,
    },
    'selector',
    'template',
  ),
  status: anything,
});
const daemonSet = struct({
  spec: struct(
    { selector, updateStrategy: strategy, template, minReadySeconds: integer, revisionHistoryLimit: integer },
    'selector',
    'template',
  ),
  status: anything,
});
const job = struct({
  spec: struct(
    {
      template,
      backoffLimit: integer,
      activeDeadlineSeconds: integer,
      ttlSecondsAfterFinished: integer,
    },
    'template',
  ),
  status: anything,
});
const disruptionBudget = struct({
  spec: struct({
    minAvailable: intOrString,
    maxUnavailable: intOrString,
    selector,
    unhealthyPodEvictionPolicy: text,
  }),
  status: anything,
});
const peers = list(
  struct({
    podSelector: selector,
    namespaceSelector: selector,
    ipBlock: struct({ cidr: text, except: texts }, 'cidr'),
  }),
);
const policyPorts = list(
  struct({ protocol: wordOr('TCP', 'UDP', 'SCTP'), port: intOrString, endPort: integer }),
);
const networkPolicy = struct({
  spec: struct({
    podSelector: selector,
    policyTypes: texts,
    ingress: list(struct({ from: peers, ports: policyPorts })),
    egress: list(struct({ to: peers, ports: policyPorts })),
  }),
});
const priorityClass = struct(
  { value: integer, description: text, globalDefault: yesNo, preemptionPolicy: text },
  'value',
);
/** As objects only: what is served is what the server was started with. */
const definition = struct({ spec: anything, status: anything }, 'spec');

export const workloadTypes: readonly ResourceType[] = [
  builtIn('Deployment', 'deployments', deployment, {
    group: 'apps',
    shortNames: ['deploy'],
    hasStatus: true,
    hasGeneration: true,
  }),
  builtIn('DaemonSet', 'daemonsets', daemonSet, {
    group: 'apps',
    shortNames: ['ds'],
    hasStatus: true,
    hasGeneration: true,
  }),
  builtIn('Job', 'jobs', job, { group: 'batch', hasStatus: true }),
  builtIn('PodDisruptionBudget', 'poddisruptionbudgets', disruptionBudget, {
    group: 'policy',
    hasStatus: true,
  }),
  builtIn('NetworkPolicy', 'networkpolicies', networkPolicy, { group: 'networking.k8s.io' }),
  builtIn('PriorityClass', 'priorityclasses', priorityClass, {
    group: 'scheduling.k8s.io',
    isClusterWide: true,
  }),
  builtIn('CustomResourceDefinition', 'customresourcedefinitions', definition, {
    group: 'apiextensions.k8s.io',
    isClusterWide: true,
    hasStatus: true,
  }),
];
