/** Objects as kubectl get shows them: `as=Table`, and `as=PartialObjectMetadata`. */
import type { KubeObject, Mapping } from './objects.ts';
import { asText, valueAt } from './objects.ts';
import type { Column, ResourceType } from './resource-type.ts';

export type Presentation = 'object' | 'table' | 'metadata';

/** What an Accept header asks for. */
export function presentationOf(accept: string | undefined): Presentation {
  for (const part of (accept ?? '').split(',')) {
    if (/;as=Table\b/.test(part)) return 'table';
    if (/;as=PartialObjectMetadata(?:List)?\b/.test(part)) return 'metadata';
    if (/^\s*(?:application\/(?:json|yaml)|\*\/\*)\s*(?:;q=.*)?$/.test(part)) return 'object';
  }
  return 'object';
}

export function metadataOnly({ metadata }: KubeObject): Mapping {
  return { kind: 'PartialObjectMetadata', apiVersion: 'meta.k8s.io/v1', metadata };
}

/** @param includeObject as in the query: None, Metadata, Object */
export function tableOf(
  type: ResourceType,
  objects: readonly KubeObject[],
  listMeta: Mapping,
  includeObject: string | null,
  nowMs: number,
  hasHeader = true,
): Mapping {
  const name = {
    name: 'Name',
    type: 'string',
    format: 'name',
    description: 'Name must be unique.',
    priority: 0,
  };
  const columns = type.columns.map(
    ({ name: title, type: kind, format = '', description = '', priority = 0 }) => ({
      name: title,
      type: kind,
      format,
      description,
      priority,
    }),
  );
  return {
    kind: 'Table',
    apiVersion: 'meta.k8s.io/v1',
    metadata: listMeta,
    ...(hasHeader ? { columnDefinitions: [name, ...columns] } : { columnDefinitions: null }),
    rows: objects.map((object) => ({
      cells: [object.metadata.name, ...type.columns.map((column) => cell(column, object, nowMs))],
      ...(includeObject === 'None'
        ? {}
        : { object: includeObject === 'Object' ? object : metadataOnly(object) }),
    })),
  };
}

function cell({ type, jsonPath }: Column, object: KubeObject, nowMs: number): unknown {
  const value = valueAt(object, filtered(jsonPath, object));
  if (value === undefined || value === null) return null;
  if (type === 'date') return formatAge(nowMs - Date.parse(asText(value)));
  if (type === 'integer' || type === 'number' || type === 'boolean') return value;
  return typeof value === 'string' ? value : JSON.stringify(value);
}

/** `.status.conditions[?(@.type=="Ready")].status` with the index of the entry that is meant. */
function filtered(jsonPath: string, object: KubeObject): string {
  return jsonPath.replace(
    /^(.*)\[\?\(@\.(\w+)==["'](.*)["']\)\]/,
    (_match, before: string, field: string, wanted: string) => {
      const entries = valueAt(object, before);
      const at = Array.isArray(entries)
        ? entries.findIndex((entry) => valueAt(entry, `.${field}`) === wanted)
        : -1;
      return `${before}[${at < 0 ? Number.MAX_SAFE_INTEGER : at}]`;
    },
  );
}

/** `42s`, `7m30s`, `3h`, `12d`, as kubectl writes durations. */
export function formatAge(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  if (seconds < 120) return `${seconds}s`;
  const [minutes, hours, days] = [60, 3600, 86_400].map((unit) => Math.floor(seconds / unit));
  if (minutes !== undefined && minutes < 10) {
    return seconds % 60 === 0 ? `${minutes}m` : `${minutes}m${seconds % 60}s`;
  }
  if (minutes !== undefined && minutes < 180) return `${minutes}m`;
  if (hours !== undefined && hours < 48) return `${hours}h`;
  return `${days}d`;
}
