/** Lists: consistent pages, revisions, tokens that expire. */
import { ApiError, badRequest, fieldProblem, gone, invalid } from './api-error.ts';
import { isMapping } from './objects.ts';
import type { KubeObject } from './objects.ts';
import { view } from './resources.ts';
import { storageOf } from './resource-type.ts';
import type { ResourceType } from './resource-type.ts';
import { both, fieldSelector, labelSelector } from './selectors.ts';
import type { Selector } from './selectors.ts';
import type { Store } from './store.ts';

export interface Page {
  readonly items: readonly KubeObject[];
  readonly listMeta: Record<string, unknown>;
}

/** '' for all namespaces. */
export function selectorOf(
  type: ResourceType,
  namespace: string,
  query: URLSearchParams,
): Selector | undefined {
  const inNamespace: Selector | undefined =
    namespace === '' ? undefined : ({ metadata }) => metadata.namespace === namespace;
  return both(
    inNamespace,
    both(labelSelector(query.get('labelSelector')), fieldSelector(type, query.get('fieldSelector'))),
  );
}

/** @param revision of a stale server; undefined: the newest */
export function listPage(
  store: Store,
  type: ResourceType,
  namespace: string,
  query: URLSearchParams,
  newest = store.revision,
): Page {
  const limit = Number(query.get('limit') ?? 0);
  const token = query.get('continue');
  const match = query.get('resourceVersionMatch');
  const asked = readRevision(query.get('resourceVersion'));
  if (query.get('sendInitialEvents') === 'true') {
    throw listOptionsInvalid('sendInitialEvents', 'sendInitialEvents is forbidden for list');
  }
  if (match !== null && asked === undefined) {
    throw listOptionsInvalid(
      'resourceVersionMatch',
      'resourceVersionMatch is forbidden unless resourceVersion is provided',
    );
  }
  if (token !== null && asked !== undefined && asked > 0) {
    throw badRequest('specifying resource version is not allowed when using continue');
  }
  if (asked !== undefined && asked > newest) throw tooLarge(asked, newest);
  const isExact = match === 'Exact' || (limit > 0 && asked !== undefined && asked > 0 && match === null);
  const start = token === null ? undefined : readToken(token);
  const revision = start?.revision ?? (isExact ? (asked ?? newest) : newest);
  const all = store.list(storageOf(type), revision);
  if (all === undefined) {
    if (start === undefined) {
      throw gone(`The resourceVersion for the provided list is too old.`);
    }
    throw gone(expired, { continue: writeToken({ revision: newest, after: start.after }) });
  }
  const selected = selectorOf(type, namespace, query);
  const matching = all
    .map(([key, stored]) => [key, view(type, stored)] as const)
    .filter(([key, object]) => (start === undefined || key > start.after) && (selected?.(object) ?? true));
  // A list at "any" revision comes from the cache, which knows no pages.
  const isPaged = limit > 0 && !(asked === 0 && token === null) && matching.length > limit;
  const shown = isPaged ? matching.slice(0, limit) : matching;
  const last = shown.at(-1)?.[0];
  const hasSelectors = query.has('labelSelector') || query.has('fieldSelector');
  return {
    items: shown.map(([, object]) => object),
    listMeta: {
      resourceVersion: String(revision),
      // Lists of custom resources are written with the empty token, others without.
      ...(type.isCustom ? { continue: '' } : {}),
      ...(isPaged && last !== undefined ? { continue: writeToken({ revision, after: last }) } : {}),
      ...(isPaged && !hasSelectors ? { remainingItemCount: matching.length - limit } : {}),
    },
  };
}

const expired =
  'The provided continue parameter is too old to display a consistent list result. You can start a new list without the continue parameter, or use the continue token in this response to retrieve the remainder of the results. Continuing with the provided token results in an inconsistent list - objects that were created, modified, or deleted between the time the first chunk was returned and now may show up in the list.';

export function readRevision(text: string | null): number | undefined {
  if (text === null || text === '') return undefined;
  if (/^\d+$/.test(text)) return Number(text);
  const value = JSON.stringify(text);
  const why = `strconv.ParseUint: parsing ${value}: invalid syntax`;
  throw badRequest(`invalid resource version: resourceVersion: Invalid value: ${value}: ${why}`);
}

export function listOptionsInvalid(field: string, detail: string): ApiError {
  return invalid('ListOptions', 'meta.k8s.io', '', [fieldProblem(field, 'Invalid', detail)]);
}

export function tooLarge(asked: number, newest: number): ApiError {
  return new ApiError(504, 'Timeout', `Timeout: Too large resource version: ${asked}, current: ${newest}`, {
    causes: [{ reason: 'ResourceVersionTooLarge', message: 'Too large resource version', field: '' }],
    retryAfterSeconds: 1,
  });
}

interface Token {
  readonly revision: number;
  readonly after: string;
}

function writeToken({ revision, after }: Token): string {
  return Buffer.from(JSON.stringify({ v: 'meta.k8s.io/v1', rv: revision, start: after })).toString(
    'base64url',
  );
}

function readToken(text: string): Token {
  let token: unknown;
  try {
    token = JSON.parse(Buffer.from(text, 'base64url').toString());
  } catch {
    throw badRequest('continue key is not valid');
  }
  if (!isMapping(token) || typeof token['rv'] !== 'number' || typeof token['start'] !== 'string') {
    throw badRequest('continue key is not valid');
  }
  return { revision: token['rv'], after: token['start'] };
}
