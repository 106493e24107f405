/** Values that people set, each with what it is for. Every one must render, and be accepted by an API server. */

export const valueMatrix: readonly (readonly [what: string, values: object])[] = [
  ['nothing', {}],
  [
    'everything that is off',
    {
      controller: { namespace: { create: true } },
      monitoring: {
        serviceMonitor: { enabled: true, labels: { release: 'prometheus' } },
        prometheusServiceAccount: { namespace: 'monitoring', name: 'prometheus-k8s' },
        prometheusRule: { enabled: true, labels: { release: 'prometheus' } },
        dashboard: { enabled: true },
      },
      argocd: { healthChecks: true },
    },
  ],
  [
    'everything off that can be',
    {
      crds: { enabled: false },
      priorityClasses: { create: false, director: '', controller: '' },
      admission: { enabled: false },
      tenants: { aggregate: false },
      controller: {
        networkPolicy: { enabled: false },
        podDisruptionBudget: { enabled: false },
        topologySpread: { enabled: false },
      },
      director: { namespace: { create: false } },
      uninstall: { cleanUp: false },
    },
  ],
  ['one controller', { controller: { replicas: 1 } }],
  ['definitions that go with the release', { crds: { keep: false } }],
  [
    'an image by digest from a private repository',
    {
      image: {
        repository: 'images.example.org:5000/net/lvs-operator',
        digest: `sha256:${'0'.repeat(64)}`,
        pullPolicy: 'Always',
        pullSecrets: ['pull', 'other'],
      },
    },
  ],
  ['an API server by address', { apiServer: { host: '192.0.2.1', port: 8443, ports: [8443] } }],
  ['an API server by IPv6 address', { apiServer: { host: '2001:db8::1' } }],
  [
    'places',
    {
      controller: {
        nodeSelector: { 'node-role.kubernetes.io/control-plane': '' },
        tolerations: [{ key: 'node-role.kubernetes.io/control-plane', effect: 'NoSchedule' }],
        affinity: { nodeAffinity: { preferredDuringSchedulingIgnoredDuringExecution: [] } },
        topologySpread: { whenUnsatisfiable: 'DoNotSchedule' },
        podLabels: { team: 'net' },
        podAnnotations: { 'example.org/a': 'true' },
        extraArgs: ['--lease-name=other'],
      },
      director: {
        nodeSelector: { 'networking.lvs-operator.io/director': '', zone: 'a' },
        tolerations: [],
        affinity: { nodeAffinity: { preferredDuringSchedulingIgnoredDuringExecution: [] } },
        update: { maxUnavailable: '25%' },
        seLinuxOptions: { type: 'spc_t' },
        podLabels: { team: 'net' },
        podAnnotations: { 'example.org/a': 'true' },
        stateDirectory: '/srv/lvs',
      },
    },
  ],
  [
    'who reaches the controller',
    {
      controller: {
        networkPolicy: {
          from: [{ namespaceSelector: { matchLabels: { name: 'monitoring' } } }],
          egress: [{ ports: [{ protocol: 'TCP', port: 9090 }] }],
        },
      },
    },
  ],
  [
    'node-level settings',
    {
      director: {
        configuration: {
          uplinks: [{ interface: 'eth0', cidrs: ['192.0.2.0/24'] }],
          reservedCIDRs: ['10.0.0.0/8'],
          timeouts: { tcpSeconds: 900, tcpFinSeconds: 60, udpSeconds: 60 },
          netfilter: 'Nft',
          sysctls: 'Manage',
          driftCheckSeconds: 2,
          fullCheckSeconds: 60,
          massRemoval: { fraction: 0.3, entries: 20, confirmSeconds: 10 },
        },
      },
    },
  ],
  [
    'other accounts and administrators',
    {
      controller: { serviceAccount: { name: 'brain', annotations: { 'example.org/role': 'x' } } },
      director: { namespace: { name: 'edge' }, serviceAccount: { name: 'hand' } },
      admission: { exemptGroups: ["platform's admins", 'oidc:"net"'], exemptUsers: ['break\\glass'] },
    },
  ],
];

/** Values with a mistake, and what helm must say of it. */
export const badValues: readonly (readonly [what: string, values: object, told: RegExp])[] = [
  ['a name that does not exist', { controler: {} }, /additional properties 'controler' not allowed/],
  ['a misspelt name below', { director: { onstop: 'keep' } }, /additional properties 'onstop' not allowed/],
  ['no controller', { controller: { replicas: 0 } }, /\/controller\/replicas': minimum: got 0, want 1/],
  ['text for a number', { controller: { port: '9440' } }, /\/controller\/port': got string, want integer/],
  ['a port that is none', { director: { port: 70_000 } }, /\/director\/port': maximum/],
  ['a word that is none', { director: { onStop: 'flush' } }, /\/director\/onStop': value must be one of/],
  ['a level that is none', { controller: { logLevel: 'trace' } }, /\/controller\/logLevel'/],
  ['a digest without its kind', { image: { digest: 'abc' } }, /\/image\/digest'.*does not match/],
  ['a repository with a digest', { image: { repository: 'a@sha256:0' } }, /\/image\/repository'/],
  ['a folder that is no path', { director: { stateDirectory: 'var/lib' } }, /\/director\/stateDirectory'/],
  [
    'directors without their label',
    { director: { nodeSelector: { 'networking.lvs-operator.io/director': null, zone: 'a' } } },
    /missing property 'networking.lvs-operator.io\/director'/,
  ],
  [
    'a lease that is over before it can be renewed',
    { controller: { lease: { durationSeconds: 5 } } },
    /controller\.lease\.durationSeconds must be longer/,
  ],
  ['a lease with one attempt', { controller: { lease: { retryPeriodSeconds: 8 } } }, /at least twice/],
  [
    'a setting of directors that does not exist',
    { director: { configuration: { uplink: [] } } },
    /additional properties 'uplink' not allowed/,
  ],
  [
    'the setting that the chart makes',
    { director: { configuration: { sysctlRoot: '/proc/sys' } } },
    /additional properties 'sysctlRoot'/,
  ],
  [
    'an alert that does not exist',
    { monitoring: { prometheusRule: { disabled: ['Wrong'] } } },
    /\/monitoring\/prometheusRule\/disabled\/0'/,
  ],
  [
    'half a Prometheus',
    { monitoring: { prometheusServiceAccount: { name: 'prometheus' } } },
    /\/monitoring\/prometheusServiceAccount'/,
  ],
  [
    'one namespace for both',
    { director: { namespace: { name: 'lvs-system' } } },
    /must not be the namespace of the release/,
  ],
];
