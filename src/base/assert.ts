/** Our own mistakes end the process with a reason; the world's failures are LvsErrors and are handled. */
export function assert(condition: boolean, message: string): asserts condition {
  if (!condition) throw new Error(`bug in lvs-operator: ${message}`);
}

/** Closes an exhaustive switch: the compiler proves it unreachable, and at run time it says what slipped through. */
export function unreachable(value: never): never {
  throw new Error(`bug in lvs-operator: unexpected value ${JSON.stringify(value)}`);
}
