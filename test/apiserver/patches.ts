/** The kinds of patches but server-side apply, as functions from the live object and the patch to the new object. */
import { isMapping, isSame } from './objects.ts';
import type { Mapping } from './objects.ts';
import type { Schema } from './schema.ts';
import { childSchema } from './structure.ts';

/** RFC 7396. */
export function mergePatch(target: unknown, patch: unknown): unknown {
  if (!isMapping(patch)) return patch;
  const merged: Mapping = isMapping(target) ? { ...target } : {};
  for (const [field, value] of Object.entries(patch)) {
    if (value === null) delete merged[field];
    else merged[field] = mergePatch(merged[field], value);
  }
  return merged;
}

/** The patch of built-in kinds: as a merge patch, but lists with keys are merged entry by entry. */
export function strategicMergePatch(schema: Schema, target: unknown, patch: unknown): unknown {
  if (!isMapping(patch)) return patch;
  const merged: Mapping = isMapping(target) && patch['$patch'] !== 'replace' ? { ...target } : {};
  for (const [field, value] of Object.entries(patch)) {
    if (field.startsWith('$')) continue;
    const known = childSchema(schema, field);
    const keys = known?.['x-kubernetes-list-map-keys'];
    if (value === null) delete merged[field];
    else if (known !== undefined && keys !== undefined && Array.isArray(value)) {
      merged[field] = mergeEntries(known, keys, merged[field], value);
    } else {
      merged[field] =
        known === undefined
          ? mergePatch(merged[field], value)
          : strategicMergePatch(known, merged[field], value);
    }
  }
  return merged;
}

function mergeEntries(
  schema: Schema,
  keys: readonly string[],
  target: unknown,
  patch: readonly unknown[],
): unknown[] {
  const isReplaced = patch.some((entry) => isMapping(entry) && entry['$patch'] === 'replace');
  let merged: unknown[] = Array.isArray(target) && !isReplaced ? [...(target as unknown[])] : [];
  for (const entry of patch) {
    if (!isMapping(entry)) continue;
    const isIt = (other: unknown) => isMapping(other) && keys.every((key) => isSame(other[key], entry[key]));
    if (entry['$patch'] === 'delete') merged = merged.filter((other) => !isIt(other));
    else if (entry['$patch'] !== 'replace') {
      const at = merged.findIndex(isIt);
      const whole = strategicMergePatch(schema.items ?? schema, merged[at], entry);
      if (at < 0) merged.push(whole);
      else merged[at] = whole;
    }
  }
  return merged;
}

/** A JSON patch that does not fit; `isTest`: a `test` that failed. */
export class PatchFailure extends Error {}

/** RFC 6902. @throws PatchFailure */
export function jsonPatch(target: unknown, operations: unknown): unknown {
  if (!Array.isArray(operations)) throw new PatchFailure('a JSON patch is a list');
  let root = structuredClone(target);
  for (const operation of operations as unknown[]) {
    if (!isMapping(operation)) throw new PatchFailure('an operation is a mapping');
    const path = readPointer(operation['path']);
    switch (operation['op']) {
      case 'add':
        root = edit(root, path, () => structuredClone(operation['value']), 'add');
        break;
      case 'replace':
        root = edit(root, path, () => structuredClone(operation['value']), 'replace');
        break;
      case 'remove':
        root = edit(root, path, () => undefined, 'remove');
        break;
      case 'test':
        if (!isSame(read(root, path), operation['value'])) {
          throw new PatchFailure(`testing value ${String(operation['path'])} failed: test failed`);
        }
        break;
      case 'copy':
      case 'move': {
        const from = readPointer(operation['from']);
        const value = structuredClone(read(root, from));
        if (operation['op'] === 'move') root = edit(root, from, () => undefined, 'remove');
        root = edit(root, path, () => value, 'add');
        break;
      }
      default:
        throw new PatchFailure(`Unexpected kind: ${String(operation['op'])}`);
    }
  }
  return root;
}

function readPointer(pointer: unknown): string[] {
  if (typeof pointer !== 'string' || (pointer !== '' && !pointer.startsWith('/'))) {
    throw new PatchFailure(`${String(pointer)} is no JSON pointer`);
  }
  return pointer
    .split('/')
    .slice(1)
    .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'));
}

function read(root: unknown, path: readonly string[]): unknown {
  return path.reduce<unknown>((at, part) => {
    const list = Array.isArray(at) ? (at as unknown[]) : undefined;
    const found = list === undefined ? (isMapping(at) ? at[part] : undefined) : list[Number(part)];
    if (found === undefined) throw new PatchFailure(`the path /${path.join('/')} is missing`);
    return found;
  }, root);
}

function edit(
  root: unknown,
  path: readonly string[],
  make: () => unknown,
  how: 'add' | 'replace' | 'remove',
): unknown {
  const last = path.at(-1);
  if (last === undefined) return make();
  const parent = read(root, path.slice(0, -1));
  if (Array.isArray(parent)) {
    const index = last === '-' ? parent.length : Number(last);
    const isThere = Number.isInteger(index) && index >= 0 && index < parent.length + (how === 'add' ? 1 : 0);
    if (!isThere) throw new PatchFailure(`the index of /${path.join('/')} is out of bounds`);
    parent.splice(index, how === 'add' ? 0 : 1, ...(how === 'remove' ? [] : [make()]));
  } else if (isMapping(parent)) {
    if (how !== 'add' && !Object.hasOwn(parent, last)) {
      throw new PatchFailure(`${how} operation does not apply: doc is missing key: /${path.join('/')}`);
    }
    if (how === 'remove') delete parent[last];
    else parent[last] = make();
  } else throw new PatchFailure(`/${path.join('/')} has no parent`);
  return root;
}
