/** What an API server demands of events that are written through events.k8s.io/v1. */
import { fieldProblem } from './api-error.ts';
import type { FieldProblem } from './api-error.ts';
import { asText, isMapping, isSame } from './objects.ts';
import type { KubeObject } from './objects.ts';

/** Fields with the names that messages have for them, which are those of the core group. */
const limits = [
  { field: 'reportingInstance', said: 'reportingInstance', longest: 128, isRequired: true },
  { field: 'action', said: 'action', longest: 128, isRequired: true },
  { field: 'reason', said: 'reason', longest: 128, isRequired: true },
  { field: 'note', said: 'message', longest: 1024, isRequired: false },
] as const;

/** An event is a fact: only its series and its metadata change. */
const immutable = [
  ['regarding', 'involvedObject'],
  ['reason', 'reason'],
  ['note', 'message'],
  ['type', 'type'],
  ['eventTime', 'eventTime'],
  ['action', 'action'],
  ['related', 'related'],
  ['reportingController', 'reportingController'],
  ['reportingInstance', 'reportingInstance'],
] as const;

const controllerName = /^(?:[a-z0-9]([-a-z0-9.]*[a-z0-9])?\/)?[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$/;

/** @param before the event that is written over; undefined: a new one */
export function eventProblems(event: KubeObject, before?: KubeObject): FieldProblem[] {
  const hasTime = asText(event['eventTime']) !== '';
  const common = hasTime ? timedProblems(event) : [];
  if (before === undefined) return [...common, ...newProblems(event, hasTime)];
  return [
    ...common,
    ...(isSame(event['series'], before['series']) ? [] : seriesProblems(event)),
    ...immutable
      .filter(([field]) => !isSame(event[field], before[field]))
      .map(([field, said]) =>
        fieldProblem(said, 'Invalid', `${JSON.stringify(event[field])}: field is immutable`),
      ),
  ];
}

function timedProblems(event: KubeObject): FieldProblem[] {
  const regarding = isMapping(event['regarding']) ? event['regarding'] : {};
  const { namespace = '' } = event.metadata;
  const isAnywhere = namespace === 'default' || namespace === 'kube-system';
  const isHomeless = asText(regarding['namespace']) === '' && !isAnywhere;
  const controller = asText(event['reportingController']);
  return [
    ...(isHomeless
      ? [fieldProblem('involvedObject.namespace', 'Invalid', '"": does not match event.namespace')]
      : []),
    ...(controller === '' ? [fieldProblem('reportingController', 'Required')] : []),
    ...(controllerName.test(controller)
      ? []
      : [
          fieldProblem(
            'reportingController',
            'Invalid',
            `${JSON.stringify(controller)}: name part must be a qualified name`,
          ),
        ]),
    ...limits.flatMap(({ field, said, longest, isRequired }) => {
      const { length } = asText(event[field]);
      if (length === 0) return isRequired ? [fieldProblem(said, 'Required')] : [];
      return length > longest
        ? [fieldProblem(said, 'Invalid', `"": can have at most ${longest} characters`)]
        : [];
    }),
  ];
}

function newProblems(event: KubeObject, hasTime: boolean): FieldProblem[] {
  const type = asText(event['type']);
  return [
    ...seriesProblems(event),
    ...(hasTime ? [] : [fieldProblem('eventTime', 'Required')]),
    ...(type === 'Normal' || type === 'Warning'
      ? []
      : [fieldProblem('type', 'Invalid', `"": has invalid value: ${type}`)]),
  ];
}

function seriesProblems({ series }: KubeObject): FieldProblem[] {
  if (!isMapping(series)) return [];
  return [
    ...(Number(series['count'] ?? 0) >= 2
      ? []
      : [fieldProblem('series.count', 'Invalid', '"": should be at least 2')]),
    ...(asText(series['lastObservedTime']) === ''
      ? [fieldProblem('series.lastObservedTime', 'Required')]
      : []),
  ];
}
