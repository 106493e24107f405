import { isRecord } from './kube-object.ts';

/**
 * Equality of JSON values. A field that is undefined is a field that is not there.
 * Thousands of decisions are compared at every event, so this allocates nothing.
 */
export function isEqualJson(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (Array.isArray(a)) return Array.isArray(b) && isSameList(a, b);
  if (!isRecord(a) || !isRecord(b)) return false;
  for (const field in a) if (!isEqualJson(a[field], b[field])) return false;
  for (const field in b) if (b[field] !== undefined && a[field] === undefined) return false;
  return true;
}

/** True when everything that `part` says stands in `whole`, which may say more in its objects (not in its lists). */
export function isCovered(part: unknown, whole: unknown): boolean {
  if (part === whole) return true;
  if (Array.isArray(part)) return Array.isArray(whole) && isSameList(part, whole);
  if (!isRecord(part) || !isRecord(whole)) return false;
  for (const field in part)
    if (part[field] !== undefined && !isCovered(part[field], whole[field])) return false;
  return true;
}

function isSameList(a: readonly unknown[], b: readonly unknown[]): boolean {
  return a.length === b.length && a.every((item, index) => isEqualJson(item, b[index]));
}
