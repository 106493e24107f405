import type { RealServerResource, VirtualServiceResource } from '../api/index.ts';
import { readRealServerStatus, readVirtualServiceStatus, refuseDynamicWeights } from '../api/index.ts';
import type { ExplainedServer, WeightsExplanation } from '../controller/index.ts';
import { weightReasons } from '../weight/index.ts';
import { foldText, pageWidth } from './fold-text.ts';
import { table } from './format-status.ts';

/** The inputs of the weights of one VirtualService, and each step to them. */
export function formatExplanation(explanation: WeightsExplanation): string {
  const { virtualService, scheduler, policy, verdict, warnings, servers } = explanation;
  const head = [
    foldText(
      `VirtualService ${virtualService}: weightPolicy ${policy.type}${bounds(policy)}, scheduler ${scheduler}`,
    ),
    foldText(
      `${verdict.isFromLoad ? 'True' : 'False'}, ${verdict.reason}. ${verdict.message}`,
      field('weights from load'),
    ),
    ...formatMetrics(explanation),
    foldText(formatDirectors(explanation), field('connections')),
    ...warnings.map((warning) => foldText(warning, field('warning'))),
  ];
  if (servers.length === 0) return `${head.join('\n')}\n\nNo such real server serves it.\n`;
  const sections = [head.join('\n'), formatTable(servers), ...servers.map(formatServer)];
  return `${sections.join('\n\n')}\n`;
}

/** Where weights are as they are written, there is nothing to compute. */
export function formatStatic(
  virtualService: VirtualServiceResource,
  realServers: readonly RealServerResource[],
): string {
  const { metadata, spec } = virtualService;
  const type = spec.weightPolicy?.type ?? 'Static';
  const why =
    type === 'Static'
      ? 'static: the weight is what is written, for each endpoint of a RealServer'
      : `weights do not follow the load: ${refuseDynamicWeights(spec.scheduler)}. The weight is what is written`;
  const rows = realServers.map((realServer) => [
    realServer.metadata.name,
    realServer.spec.state === 'Drained'
      ? `${realServer.spec.weight}, drained`
      : String(realServer.spec.weight),
    readRealServerStatus(realServer).endpointsReady ?? '-',
  ]);
  const head = foldText(
    `VirtualService ${metadata.namespace}/${metadata.name}: ${why} (scheduler ${spec.scheduler}).`,
  );
  return `${head}\n\n${rows.length === 0 ? 'No real servers.' : table(['REAL SERVER', 'WEIGHT', 'ENDPOINTS READY'], rows)}\n`;
}

/** As much as statuses hold: what came out, but not how. @param addresses that are asked for; empty: all */
export function formatFromStatuses(
  virtualService: VirtualServiceResource,
  realServers: readonly RealServerResource[],
  addresses: readonly string[],
): string {
  const { metadata, spec } = virtualService;
  const { type = 'Static' } = spec.weightPolicy ?? {};
  const found = readVirtualServiceStatus(virtualService).conditions.find(
    (one) => one.type === 'WeightsFromLoad',
  );
  const verdict =
    found === undefined ? 'nothing is known yet' : `${found.status}, ${found.reason}. ${found.message}`;
  const rows = realServers.flatMap((realServer) =>
    readRealServerStatus(realServer)
      .endpoints.filter(({ address }) => addresses.length === 0 || addresses.includes(address))
      .map(({ address, podName, configuredWeight, advisedWeight, effectiveWeight, weightReason }) => ({
        address,
        podName,
        configuredWeight,
        advisedWeight,
        effectiveWeight,
        reason: weightReason ?? '-',
      })),
  );
  return [
    foldText(
      `VirtualService ${metadata.namespace}/${metadata.name}: weightPolicy ${type}, scheduler ${spec.scheduler}`,
    ),
    `${foldText(verdict, field('weights from load'))}\n`,
    `${rows.length === 0 ? 'No real servers are told of in statuses.' : formatTable(rows)}\n`,
    ...[...new Set(rows.map(({ reason }) => reason))].flatMap((reason) => {
      const text = (weightReasons as Readonly<Record<string, string>>)[reason];
      return text === undefined ? [] : [foldText(text, `${reason}: `)];
    }),
    '',
  ].join('\n');
}

function bounds({ base, minPercent, maxPercent, type }: WeightsExplanation['policy']): string {
  if (type !== 'CapacityEstimate' && type !== 'InFlight') return '';
  return ` (base ${base ?? 'Prior'}, ${minPercent ?? 10} to ${maxPercent ?? 400} % of it)`;
}

function formatMetrics({ metrics }: WeightsExplanation): readonly string[] {
  if (metrics === undefined) return [foldText('not asked for by this policy', field('metrics'))];
  const { source, query, failure } = metrics;
  return [
    foldText(`${source}${failure === undefined ? '' : `, which fails: ${failure}`}`, field('metrics')),
    ...(query === undefined ? [] : [foldText(query, field('query'))]),
  ];
}

function formatDirectors({ directors }: WeightsExplanation): string {
  const well = directors.filter(({ failure }) => failure === undefined).map(({ name }) => name);
  const ill = directors.flatMap(({ name, failure }) =>
    failure === undefined ? [] : [`${name} does not answer: ${failure}`],
  );
  const told = well.length === 0 ? 'told by no director' : `told by ${listSome(well)}`;
  return [told, ...ill.slice(0, mostNamed)].join('; ');
}

function listSome(names: readonly string[]): string {
  const more = names.length - mostNamed;
  return more > 0 ? `${names.slice(0, mostNamed).join(', ')} and ${more} more` : names.join(', ');
}

const mostNamed = 5;

type Row = Pick<ExplainedServer, 'address' | 'reason'> & {
  readonly [Name in 'configuredWeight' | 'advisedWeight' | 'effectiveWeight']?: number | undefined;
} & { readonly podName?: string | undefined };

/** With the names of pods, where these are short enough. */
function formatTable(servers: readonly Row[]): string {
  const rows = (hasPods: boolean): string =>
    table(
      ['REAL SERVER', ...(hasPods ? ['POD'] : []), 'BASE', 'ADVISED', 'EFFECTIVE', 'REASON'],
      servers.map(({ address, podName = '-', configuredWeight, advisedWeight, effectiveWeight, reason }) => [
        address,
        ...(hasPods ? [podName] : []),
        ...[configuredWeight, advisedWeight, effectiveWeight].map((weight) => String(weight ?? '-')),
        reason,
      ]),
    );
  const whole = rows(true);
  return whole.split('\n').every((line) => line.length <= pageWidth) ? whole : rows(false);
}

function formatServer(server: ExplainedServer): string {
  const { address, podName, realServer, because, configuredWeight, advisedWeight, effectiveWeight, steps } =
    server;
  const of =
    podName === undefined ? `RealServer ${realServer}` : `pod ${podName} of RealServer ${realServer}`;
  const lines = steps.map(({ step, value, text }) =>
    foldText(text, `  ${step.padEnd(15)} ${formatValue(value).padStart(9)}  `),
  );
  const result = `base ${configuredWeight}, advised ${advisedWeight ?? 'none'}, effective ${effectiveWeight}: ${because}`;
  return [foldText(`${address}, ${of}`), ...lines, foldText(result, '  => ')].join('\n');
}

function formatValue(value: number | undefined): string {
  if (value === undefined) return '-';
  return Number.isInteger(value) ? String(value) : String(Number(value.toPrecision(4)));
}

function field(name: string): string {
  return `  ${name.padEnd(18)}`;
}
