import { isRecord } from './kube-object.ts';

/** Equality of JSON values. A field that is undefined is a field that is not there. */
export function isEqualJson(a: unknown, b: unknown): boolean {
  return a === b || (isCovered(a, b) && isCovered(b, a));
}

/** True when everything that `part` says stands in `whole`, which may say more in its objects (not in its lists). */
export function isCovered(part: unknown, whole: unknown): boolean {
  if (part === whole) return true;
  if (Array.isArray(part)) {
    return (
      Array.isArray(whole) &&
      part.length === whole.length &&
      part.every((item, i) => isEqualJson(item, whole[i]))
    );
  }
  if (!isRecord(part) || !isRecord(whole)) return false;
  return Object.entries(part).every(
    ([field, value]) => value === undefined || isCovered(value, whole[field]),
  );
}
