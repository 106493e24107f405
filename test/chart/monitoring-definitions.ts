/** The kinds of the Prometheus operator that the chart makes, as far as it uses them. Ours: no copy of theirs. */

const text = { type: 'string' };
const anything = { type: 'object', 'x-kubernetes-preserve-unknown-fields': true };
const struct = (properties: object, ...required: string[]): object => ({
  type: 'object',
  properties,
  ...(required.length > 0 ? { required } : {}),
});
const list = (items: object): object => ({ type: 'array', items });

const serviceMonitor = struct(
  {
    selector: struct({ matchLabels: anything }),
    namespaceSelector: struct({ matchNames: list(text) }),
    endpoints: list(
      struct({
        port: text,
        path: text,
        scheme: { type: 'string', enum: ['http', 'https'] },
        interval: { type: 'string', pattern: '^[0-9]+(ms|s|m|h)$' },
        bearerTokenFile: text,
        tlsConfig: struct({ insecureSkipVerify: { type: 'boolean' } }),
        relabelings: list(anything),
      }),
    ),
  },
  'selector',
  'endpoints',
);

const prometheusRule = struct({
  groups: list(
    struct(
      {
        name: text,
        rules: list(
          struct({ alert: text, expr: text, for: text, labels: anything, annotations: anything }, 'expr'),
        ),
      },
      'name',
    ),
  ),
});

function definition(kind: string, spec: object): object {
  const group = 'monitoring.coreos.com';
  const plural = `${kind.toLowerCase()}s`;
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${plural}.${group}` },
    spec: {
      group,
      scope: 'Namespaced',
      names: { kind, listKind: `${kind}List`, plural, singular: kind.toLowerCase() },
      versions: [
        {
          name: 'v1',
          served: true,
          storage: true,
          schema: { openAPIV3Schema: struct({ spec }, 'spec') },
        },
      ],
    },
  };
}

export const monitoringDefinitions: readonly object[] = [
  definition('ServiceMonitor', serviceMonitor),
  definition('PrometheusRule', prometheusRule),
];
