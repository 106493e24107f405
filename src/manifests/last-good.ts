import type { ManifestObject, ManifestReading } from './reading.ts';

/**
 * What the director should serve after a reading: everything that is whole, and the last good version of what is
 * written but cannot be read. An object is kept from `last` when the reading calls it broken, when its file (or a folder
 * around it) is incomplete, or when its file is gone while another is incomplete, for it may have moved there. All
 * else that is absent was removed by a person and goes.
 *
 * @param last the result for the reading before, by `formatObjectRef`.
 */
export function keepLastGood(
  last: ReadonlyMap<string, ManifestObject>,
  reading: ManifestReading,
): ReadonlyMap<string, ManifestObject> {
  if (reading.isComplete) return reading.objects;
  const { objects, brokenObjects, incompletePaths } = reading;
  const files = new Set(reading.files);
  const isUnknown = (file: string) =>
    incompletePaths.some((path) => file === path || file.startsWith(`${path}/`)) ||
    (incompletePaths.length > 0 && !files.has(file));
  const kept = new Map(objects);
  for (const [key, object] of last) {
    if (!kept.has(key) && (brokenObjects.has(key) || isUnknown(object.file))) kept.set(key, object);
  }
  return kept;
}
