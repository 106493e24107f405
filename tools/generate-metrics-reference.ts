import { readFileSync } from 'node:fs';
import { parse } from 'yaml';
import { metricGroups } from '../src/metrics/index.ts';
import type { MetricDefinition, MetricGroup } from '../src/metrics/index.ts';

interface Alert {
  readonly alert: string;
  readonly expr: string;
  readonly for?: string;
  readonly severity: string;
  readonly summary: string;
  readonly description: string;
}

/** docs/metrics.md: every metric, in the order of its definition, and every alert of the chart. */
export function renderMetricsReference(): string {
  return `<!-- Generated from src/metrics and charts/lvs-operator/files/alerts.yaml by "npm run generate". Do not edit. -->

# Metrics

Director and controller answer Prometheus at \`/metrics\`, beside \`/healthz\`, \`/readyz\` and, for the controller that
computes weights, a director's \`/v1/counters\`.

| process | \`--listen\`, by default |
| --- | --- |
| \`director --manifests\` | \`127.0.0.1:9441\` |
| \`director\` in a cluster | \`:9441\`, all addresses of the node |
| \`controller\` | \`:9440\`, all addresses of the pod |

On a loopback address it is plain HTTP for whoever is on the host. Elsewhere, in a cluster, it is HTTPS with a certificate
that the process makes at its start (a director tells its SHA-256 in \`Director.status.endpoint\`), and \`/metrics\` and
\`/v1/counters\` want a token: \`Authorization: Bearer TOKEN\`. The API server says whose it is (TokenReview) and whether that
one may \`get\` the path (SubjectAccessReview). So who scrapes needs

\`\`\`yaml
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: { name: lvs-metrics-reader }
rules: [{ nonResourceURLs: [/metrics], verbs: [get] }]
\`\`\`

An answer is believed for a minute. While the API server cannot be asked, nobody new reads metrics; \`/healthz\` and
\`/readyz\` ask nobody, ever. \`/healthz\` is 503 when the process stood still for five seconds within the last ten, or when its
loop (a director's passes, a controller's election) has not come round for a minute or more. \`/readyz\` of a director is 200
once a pass with the whole goal has ended well, that of a controller once every resource was read, whether it leads or not.

Traffic is counted by the kernel, in 64 bits, and added up there every two seconds; it is read when somebody scrapes, in
slices of a few milliseconds. \`virtual_service\` is \`namespace/name\`, \`service\` and \`real_server\` are the names that status, log
and \`ipvsadm -Ln\` have. The series of what is gone end with it; a counter that begins anew is one that the kernel made anew.
[The alerts](#alerts) are at the end.
${metricGroups.map(renderGroup).join('')}${renderAlerts()}`;
}

function renderAlerts(): string {
  const text = readFileSync(new URL('../charts/lvs-operator/files/alerts.yaml', import.meta.url), 'utf8');
  const rows = (parse(text) as readonly Alert[]).map(
    ({ alert, severity, for: lasting, summary, description }) =>
      `| \`${alert}\` | ${severity} | ${lasting ?? ''} | ${withoutTemplates(summary)}. ${withoutTemplates(description)} |`,
  );
  return `
## Alerts

In the chart's PrometheusRule (\`monitoring.prometheusRule.enabled\`; \`disabled\` leaves out single ones), with their expressions in
[alerts.yaml](../charts/lvs-operator/files/alerts.yaml). Words in capitals stand for what Prometheus puts in. \`critical\` deserves a page in
the night; what is served goes on meanwhile unless the text says otherwise. [Troubleshooting](troubleshooting.md) leads on.

| Alert | Severity | After | It means |
| --- | --- | --- | --- |
${rows.join('\n')}
`;
}

/** `{{ $labels.real_server }}` is REAL_SERVER here. */
function withoutTemplates(text: string): string {
  return text
    .replaceAll(/\{\{ \$labels\.(\w+) \}\}/g, (_, label: string) => label.toUpperCase())
    .replaceAll(/\{\{ \$value[^}]*\}\}/g, 'N')
    .replaceAll('|', '\\|');
}

function renderGroup({ title, toldBy, metrics }: MetricGroup): string {
  const rows = Object.entries(metrics).map(renderRow);
  return `
## ${title}

Told by ${toldBy}.

| Metric | Type | Labels | Meaning |
| --- | --- | --- | --- |
${rows.join('\n')}
`;
}

function renderRow([name, { type, labels = [], help }]: readonly [string, MetricDefinition]): string {
  const names = labels.map((label) => `\`${label}\``).join(', ');
  return `| \`${name}\` | ${type} | ${names} | ${help.replaceAll('|', '\\|')} |`;
}
