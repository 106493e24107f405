import type { NamespacedMetadata } from '../api/index.ts';

/**
 * Who was first, when two objects want the same and neither holds it yet: creationTimestamp, then uid, then name.
 * Objects in files have neither of the first two, so there the name decides, the same way on every pass.
 */
export function compareByAge(
  a: { readonly metadata: NamespacedMetadata },
  b: { readonly metadata: NamespacedMetadata },
): number {
  const left = a.metadata;
  const right = b.metadata;
  return (
    createdMs(left) - createdMs(right) ||
    compareText(left.uid ?? '', right.uid ?? '') ||
    compareText(left.namespace, right.namespace) ||
    compareText(left.name, right.name)
  );
}

const neverMs = 8.64e15;

function createdMs({ creationTimestamp }: NamespacedMetadata): number {
  if (creationTimestamp === undefined) return neverMs;
  const ms = Date.parse(creationTimestamp);
  return Number.isNaN(ms) ? neverMs : ms;
}

/** By code unit: a locale must not decide who owns a port. */
export function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
