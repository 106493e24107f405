/** From an HTTP request to what it asks for. */
import type { IncomingMessage } from 'node:http';
import { parse } from 'yaml';
import { ApiError, badRequest, fieldProblem, invalid } from './api-error.ts';
import type { Verb } from './faults.ts';
import { asText, isMapping } from './objects.ts';
import type { DeleteOptions, PatchType, WriteOptions } from './resources.ts';
import type { ResourceType } from './resource-type.ts';

export interface ResourceRequest {
  readonly verb: Verb;
  readonly type: ResourceType;
  readonly namespace: string;
  /** '' for a collection. */
  readonly name: string;
  readonly subresource: 'status' | undefined;
}

/** @returns undefined where the path names no resource of this server */
export function resourceRequest(
  method: string,
  url: URL,
  types: readonly ResourceType[],
): ResourceRequest | undefined {
  const match = /^\/(?:api\/(v1)|apis\/([^/]+)\/([^/]+))\/(.+)$/.exec(url.pathname);
  if (match === null) return undefined;
  const [, coreVersion, group = '', version = coreVersion, path = ''] = match;
  const parts = path.split('/').map(decodeURIComponent);
  const isNamespaced = parts[0] === 'namespaces' && parts.length > 2 && parts[2] !== 'status';
  const [plural = '', name = '', subresource, ...rest] = isNamespaced ? parts.slice(2) : parts;
  const type = types.find(
    (known) => known.group === group && known.version === version && known.plural === plural,
  );
  if (type === undefined || rest.length > 0) return undefined;
  // Without a namespace, only a whole collection of a namespaced kind can be asked for.
  if (type.isNamespaced !== isNamespaced && (isNamespaced || name !== '')) return undefined;
  if (subresource !== undefined && (subresource !== 'status' || !type.hasStatus)) return undefined;
  const verb = verbOf(method, name === '', url.searchParams.get('watch'));
  if (verb === undefined) return undefined;
  return { verb, type, namespace: isNamespaced ? (parts[1] ?? '') : '', name, subresource };
}

function verbOf(method: string, isCollection: boolean, watch: string | null): Verb | undefined {
  switch (method) {
    case 'GET':
      if (!isCollection) return 'get';
      return watch === 'true' || watch === '1' ? 'watch' : 'list';
    case 'POST':
      return isCollection ? 'create' : undefined;
    case 'PUT':
      return isCollection ? undefined : 'update';
    case 'PATCH':
      return isCollection ? undefined : 'patch';
    case 'DELETE':
      return isCollection ? 'deletecollection' : 'delete';
    default:
      return undefined;
  }
}

const bodyLimit = 3 * 1024 * 1024;

export async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    chunks.push(chunk);
    length += chunk.length;
    if (length > bodyLimit) {
      throw new ApiError(413, 'RequestEntityTooLarge', `Request entity too large: limit is ${bodyLimit}`);
    }
  }
  return Buffer.concat(chunks).toString('utf8');
}

const mediaType = (request: IncomingMessage) =>
  (request.headers['content-type'] ?? 'application/json').split(';')[0]?.trim() ?? '';

/** @throws ApiError 415 for what is neither JSON nor YAML, 400 for what cannot be read */
export function readObject(request: IncomingMessage, body: string): unknown {
  const type = mediaType(request);
  if (/^application\/(?:json|.*\+json)$/.test(type)) {
    try {
      return JSON.parse(body);
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      throw badRequest(`the object provided is unrecognized (must be of type json): ${why}`);
    }
  }
  if (/^application\/(?:yaml|.*\+yaml)$/.test(type)) {
    try {
      // Most clients apply JSON, which is YAML, and is read many times faster as what it is.
      return readJson(body) ?? parse(body);
    } catch (error) {
      throw badRequest(`error decoding YAML: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  throw new ApiError(
    415,
    'UnsupportedMediaType',
    'the body of the request was in an unknown format - accepted media types include: application/json, application/yaml',
  );
}

function readJson(body: string): unknown {
  if (!body.startsWith('{')) return undefined;
  try {
    return JSON.parse(body);
  } catch {
    return undefined;
  }
}

const patchTypes: Readonly<Record<string, PatchType>> = {
  'application/json-patch+json': 'json',
  'application/merge-patch+json': 'merge',
  'application/strategic-merge-patch+json': 'strategic',
  'application/apply-patch+yaml': 'apply',
};

export function patchTypeOf(request: IncomingMessage): PatchType {
  const found = patchTypes[mediaType(request)];
  if (found !== undefined) return found;
  throw new ApiError(
    415,
    'UnsupportedMediaType',
    `the body of the request was in an unknown format - accepted media types include: ${Object.keys(patchTypes).join(', ')}`,
  );
}

export function writeOptions(
  request: IncomingMessage,
  query: URLSearchParams,
  warn: (text: string) => void,
): WriteOptions {
  const fieldValidation = query.get('fieldValidation') ?? 'Warn';
  if (fieldValidation !== 'Strict' && fieldValidation !== 'Warn' && fieldValidation !== 'Ignore') {
    throw invalid('CreateOptions', 'meta.k8s.io', '', [
      fieldProblem(
        'fieldValidation',
        'NotSupported',
        `"${fieldValidation}": supported values: "Ignore", "Strict", "Warn"`,
      ),
    ]);
  }
  const isApply = request.method === 'PATCH' && mediaType(request).startsWith('application/apply-patch');
  const agent = request.headers['user-agent']?.split('/')[0] ?? '';
  return {
    manager: query.get('fieldManager') ?? (isApply ? '' : agent === '' ? 'unknown' : agent),
    isDryRun: isDryRun(query.getAll('dryRun')),
    fieldValidation,
    isForced: query.get('force') === 'true',
    warn,
  };
}

function isDryRun(values: readonly string[]): boolean {
  for (const value of values) {
    if (value !== 'All') {
      throw invalid('CreateOptions', 'meta.k8s.io', '', [
        fieldProblem('dryRun', 'NotSupported', `${JSON.stringify(value)}: supported values: "All"`),
      ]);
    }
  }
  return values.length > 0;
}

/** From the body, where there is one, and the query. */
export function deleteOptions(body: unknown, query: URLSearchParams): DeleteOptions {
  const options = isMapping(body) ? body : {};
  const preconditions = isMapping(options['preconditions']) ? options['preconditions'] : {};
  const propagation = options['propagationPolicy'] ?? query.get('propagationPolicy') ?? 'Background';
  if (propagation !== 'Background' && propagation !== 'Foreground' && propagation !== 'Orphan') {
    throw invalid('DeleteOptions', 'meta.k8s.io', '', [
      fieldProblem(
        'propagationPolicy',
        'NotSupported',
        `"${asText(propagation)}": supported values: "Background", "Foreground", "Orphan"`,
      ),
    ]);
  }
  const grace = options['gracePeriodSeconds'] ?? query.get('gracePeriodSeconds') ?? undefined;
  const text = (value: unknown) => (typeof value === 'string' ? value : undefined);
  const dryRun: unknown = options['dryRun'];
  return {
    propagation,
    uid: text(preconditions['uid']),
    resourceVersion: text(preconditions['resourceVersion']),
    gracePeriodSeconds: grace === undefined || grace === null ? undefined : Number(grace),
    isDryRun: isDryRun(Array.isArray(dryRun) ? dryRun.map(String) : query.getAll('dryRun')),
  };
}
