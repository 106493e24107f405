/** Whether two lists hold the very same objects. Values are never changed in place, so the same object says the same. */
export function isSameList<Element>(a: readonly Element[], b: readonly Element[]): boolean {
  return a === b || (a.length === b.length && a.every((element, index) => element === b[index]));
}

/** The same for lists that may be missing. */
export function isSameOptionalList<Element>(
  a: readonly Element[] | undefined,
  b: readonly Element[] | undefined,
): boolean {
  return a === undefined || b === undefined ? a === b : isSameList(a, b);
}
