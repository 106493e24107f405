/** Who owns which field: the bookkeeping of metadata.managedFields, and the merge of server-side apply. */
import { ApiError } from './api-error.ts';
import { canonical, isMapping, isSame } from './objects.ts';
import type { KubeObject, ManagedFieldsEntry, Mapping } from './objects.ts';
import type { Schema } from './schema.ts';
import { childSchema } from './structure.ts';
import { listKey } from './validation.ts';

/** Elements as in FieldsV1 (`f:spec`, `k:{"port":80}`, `v:"a"`), one a line. */
type FieldPath = string;

const join = (path: FieldPath, element: string) => (path === '' ? element : `${path}\n${element}`);

/** Never owned: they name the object or belong to the server. */
const unowned = new Set([
  'f:apiVersion',
  'f:kind',
  ...[
    'name',
    'namespace',
    'generateName',
    'uid',
    'resourceVersion',
    'generation',
    'creationTimestamp',
    'deletionTimestamp',
    'deletionGracePeriodSeconds',
    'selfLink',
    'managedFields',
  ].map((field) => `f:metadata\nf:${field}`),
]);

/** Every field that can be owned, with its value in one spelling. */
function leavesOf(schema: Schema, object: Mapping): Map<FieldPath, string> {
  const leaves = new Map<FieldPath, string>();
  const walk = (node: Schema | undefined, value: unknown, path: FieldPath): void => {
    if (unowned.has(path)) return;
    const listType = node?.['x-kubernetes-list-type'] ?? 'atomic';
    if (isMapping(value) && Object.keys(value).length > 0 && node?.['x-kubernetes-map-type'] !== 'atomic') {
      for (const [field, child] of Object.entries(value)) {
        walk(node && childSchema(node, field), child, join(path, `f:${field}`));
      }
    } else if (Array.isArray(value) && node !== undefined && listType !== 'atomic') {
      // Of a list with keys the entries are owned; without entries, nothing is.
      for (const entry of value as unknown[]) {
        const key = listKey(node, entry);
        const at = join(path, `${listType === 'map' ? 'k' : 'v'}:${key}`);
        leaves.set(at, '');
        if (listType === 'map') walk(node.items, entry, at);
      }
    } else leaves.set(path, canonical(value));
  };
  walk(schema, object, '');
  return leaves;
}

function toFieldsV1(paths: Iterable<FieldPath>): Mapping {
  const root: Mapping = {};
  for (const path of [...paths].sort()) {
    let at = root;
    for (const element of path.split('\n')) {
      const next = at[element];
      if (isMapping(next)) at = next;
      else at[element] = at = {};
    }
    // An entry of a list is owned itself, beside its fields.
    if (/(?:^|\n)k:[^\n]*$/.test(path)) at['.'] = {};
  }
  return root;
}

function fromFieldsV1(fields: Mapping, path: FieldPath = ''): FieldPath[] {
  return Object.entries(fields).flatMap(([element, below]) => {
    if (element === '.') return path === '' ? [] : [path];
    const at = join(path, element);
    return isMapping(below) && Object.keys(below).length > 0 ? fromFieldsV1(below, at) : [at];
  });
}

export interface Manager {
  readonly name: string;
  readonly apiVersion: string;
  readonly subresource: string | undefined;
  readonly time: string;
  /** Writes of this kind never reach the status; those on `/status` reach nothing else. */
  readonly hasStatus: boolean;
}

type Owned = readonly [entry: ManagedFieldsEntry, fields: ReadonlySet<FieldPath>];

function owned(object: KubeObject | undefined): Owned[] {
  return (object?.metadata.managedFields ?? []).map(
    (entry) => [entry, new Set(fromFieldsV1(entry.fieldsV1))] as const,
  );
}

function isEntryOf({ name, subresource }: Manager, operation: 'Apply' | 'Update') {
  return ([entry]: Owned) =>
    entry.manager === name && entry.operation === operation && entry.subresource === subresource;
}

function newEntry(manager: Manager, operation: 'Apply' | 'Update'): ManagedFieldsEntry {
  const { name, apiVersion, subresource, time } = manager;
  const entry = { manager: name, operation, apiVersion, time, fieldsType: 'FieldsV1', fieldsV1: {} } as const;
  return subresource === undefined ? entry : { ...entry, subresource };
}

function withEntries(object: KubeObject, all: readonly Owned[]): KubeObject {
  const entries = all
    .filter(([, fields]) => fields.size > 0)
    .map(([entry, fields]): ManagedFieldsEntry => ({ ...entry, fieldsV1: toFieldsV1(fields) }));
  const metadata = { ...object.metadata };
  delete metadata.managedFields;
  if (entries.length > 0) metadata.managedFields = entries;
  return { ...object, metadata };
}

/** Whether such a write can change the field at all. */
function isInReach({ subresource, hasStatus }: Manager, path: FieldPath): boolean {
  const isStatus = path === 'f:status' || path.startsWith('f:status\n');
  return subresource === 'status' ? isStatus : !hasStatus || !isStatus;
}

/** The new object of a write that is no apply: whoever changes a field owns it. */
export function ownUpdate(
  schema: Schema,
  before: KubeObject | undefined,
  after: KubeObject,
  manager: Manager,
): KubeObject {
  const [old, now] = [before === undefined ? new Map() : leavesOf(schema, before), leavesOf(schema, after)];
  const changed = [...now]
    .filter(([path, value]) => old.get(path) !== value && isInReach(manager, path))
    .map(([path]) => path);
  // Whoever sends managedFields edits the books themselves; an empty list closes them.
  const books = after.metadata.managedFields === undefined ? owned(before) : owned(after);
  const isMine = isEntryOf(manager, 'Update');
  const touched = new Set(changed);
  const others = books.map(([entry, fields]): Owned => {
    const kept = new Set([...fields].filter((path) => now.has(path) && !touched.has(path)));
    return [entry, isMine([entry, kept]) ? new Set([...kept, ...changed]) : kept];
  });
  const mine = books.find(isMine);
  if (changed.length === 0) return withEntries(after, others);
  if (mine === undefined)
    return withEntries(after, [...others, [newEntry(manager, 'Update'), new Set(changed)]]);
  return withEntries(
    after,
    others.map((own): Owned => (isMine(own) ? [{ ...own[0], time: manager.time }, own[1]] : own)),
  );
}

/**
 * Server-side apply: the live object with what the manager wants, without what it no longer wants and nobody else does.
 *
 * @param wanted what the manager applies, already without fields that it cannot set here
 * @throws ApiError 409 where another manager owns a field with another value, unless forced
 */
export function applyConfiguration(
  schema: Schema,
  live: KubeObject | undefined,
  wanted: KubeObject,
  manager: Manager,
  isForced: boolean,
): KubeObject {
  const books = owned(live);
  const isMine = isEntryOf(manager, 'Apply');
  const fields = leavesOf(schema, wanted);
  const liveFields = live === undefined ? new Map<FieldPath, string>() : leavesOf(schema, live);
  const disputed = new Set(
    [...fields].filter(([path, value]) => liveFields.get(path) !== value).map(([at]) => at),
  );
  const conflicts = books
    .filter((own) => !isMine(own))
    .map(([entry, theirs]) => [entry, [...theirs].filter((path) => disputed.has(path))] as const)
    .filter(([, paths]) => paths.length > 0);
  if (conflicts.length > 0 && !isForced) throw conflictOf(conflicts);

  const others = books
    .filter((own) => !isMine(own))
    .map(([entry, theirs]): Owned => [entry, new Set([...theirs].filter((path) => !disputed.has(path)))]);
  const before = books.find(isMine);
  const held = new Set(
    [...fields.keys(), ...others.flatMap(([, theirs]) => [...theirs])].flatMap(withAncestors),
  );
  const given = new Set([...(before?.[1] ?? [])].flatMap(withAncestors).filter((path) => !held.has(path)));
  const merged =
    live === undefined ? wanted : without(schema, merge(schema, live, wanted) as KubeObject, given);
  const isUnchanged = before !== undefined && isSame([...before[1]].sort(), [...fields.keys()].sort());
  const time =
    isUnchanged && disputed.size === 0 && before[0].time !== undefined ? before[0].time : manager.time;
  const entry: ManagedFieldsEntry = { ...newEntry(manager, 'Apply'), time };
  return withEntries(merged, [...others, [entry, new Set(fields.keys())]]);
}

function conflictOf(conflicts: readonly (readonly [ManagedFieldsEntry, readonly FieldPath[]])[]): ApiError {
  const causes = conflicts.flatMap(([{ manager, operation, apiVersion, subresource }, paths]) => {
    const through = subresource === undefined ? '' : ` with subresource ${JSON.stringify(subresource)}`;
    const when = operation === 'Update' ? ` using ${apiVersion}` : '';
    const message = `conflict with ${JSON.stringify(manager)}${through}${when}`;
    return paths
      .toSorted(compareFields)
      .map((path) => ({ reason: 'FieldManagerConflict', message, field: readable(path) }));
  });
  const [first] = causes;
  const message =
    causes.length === 1 && first !== undefined
      ? `${first.message}: ${first.field}`
      : [...new Set(causes.map((cause) => cause.message))]
          .map((by) =>
            [
              `${by.replace('conflict', 'conflicts')}:`,
              ...causes.filter((cause) => cause.message === by).map(({ field }) => `- ${field}`),
            ].join('\n'),
          )
          .join('\n');
  const count = `${causes.length} conflict${causes.length === 1 ? '' : 's'}`;
  return new ApiError(409, 'Conflict', `Apply failed with ${count}: ${message}`, { causes });
}

/** Fields of an object before what is inside of other fields of it. */
function compareFields(a: FieldPath, b: FieldPath): number {
  const [left, right] = [a.split('\n'), b.split('\n')];
  const at = left.findIndex((element, index) => element !== right[index]);
  const [isLeftLast, isRightLast] = [left.length === at + 1, right.length === at + 1];
  if (isLeftLast !== isRightLast) return isLeftLast ? -1 : 1;
  return (left[at] ?? '') < (right[at] ?? '') ? -1 : 1;
}

/** `.spec.ports[port=80,protocol="TCP"].name` */
function readable(path: FieldPath): string {
  return path
    .split('\n')
    .map((element) => {
      const rest = element.slice(2);
      if (element.startsWith('f:')) return `.${rest}`;
      if (element.startsWith('v:')) return `[=${rest}]`;
      const keys: unknown = JSON.parse(rest);
      const pairs = isMapping(keys) ? Object.entries(keys) : [];
      return `[${pairs.map(([key, value]) => `${key}=${JSON.stringify(value)}`).join(',')}]`;
    })
    .join('');
}

/** The path and everything around it: a field goes with all defaults inside when nobody holds any of it. */
function withAncestors(path: FieldPath): FieldPath[] {
  const elements = path.split('\n');
  return elements.map((_, index) => elements.slice(0, index + 1).join('\n'));
}

/** The object without the given fields, and without what is empty then. */
function without(schema: Schema, object: KubeObject, given: ReadonlySet<FieldPath>): KubeObject {
  const walk = (node: Schema | undefined, value: unknown, path: FieldPath): unknown => {
    if (given.has(path)) return undefined;
    if (isMapping(value) && node?.['x-kubernetes-map-type'] !== 'atomic') {
      const kept = Object.entries(value).flatMap(([field, child]) => {
        const left = walk(node && childSchema(node, field), child, join(path, `f:${field}`));
        return left === undefined ? [] : [[field, left] as const];
      });
      const isEmptied = kept.length === 0 && Object.keys(value).length > 0;
      return isEmptied ? undefined : Object.fromEntries(kept);
    }
    const listType = node?.['x-kubernetes-list-type'] ?? 'atomic';
    if (!Array.isArray(value) || node === undefined || listType === 'atomic') return value;
    const kept = value.flatMap((entry: unknown) => {
      const at = join(path, `${listType === 'map' ? 'k' : 'v'}:${listKey(node, entry)}`);
      const left = walk(listType === 'map' ? node.items : undefined, entry, at);
      return left === undefined ? [] : [left];
    });
    return kept.length === 0 && value.length > 0 ? undefined : kept;
  };
  return walk(schema, object, '') as KubeObject;
}

function merge(schema: Schema | undefined, live: unknown, wanted: unknown): unknown {
  if (isMapping(live) && isMapping(wanted) && schema?.['x-kubernetes-map-type'] !== 'atomic') {
    const merged: Mapping = { ...live };
    for (const [field, child] of Object.entries(wanted)) {
      merged[field] = merge(schema && childSchema(schema, field), live[field], child);
    }
    return merged;
  }
  const listType = schema?.['x-kubernetes-list-type'] ?? 'atomic';
  if (!Array.isArray(live) || !Array.isArray(wanted) || schema === undefined || listType === 'atomic') {
    return wanted;
  }
  const entries = new Map(live.map((entry: unknown) => [listKey(schema, entry), entry]));
  for (const entry of wanted as unknown[]) {
    const key = listKey(schema, entry);
    entries.set(key, merge(schema.items, entries.get(key), entry));
  }
  return [...entries.values()];
}
