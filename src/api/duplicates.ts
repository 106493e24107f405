import type { FieldPath, RuleViolation } from './problem.ts';

/** Why an API server, which compares the entries of a set as text, cannot find every repetition. */
export const twoSpellings =
  'An API server compares the text; two spellings of one address or network are found by the director.';

/**
 * One violation for every entry of a list that repeats an earlier one.
 * @param key what must differ; undefined: the entry is not compared.
 */
export function duplicateViolations<Entry>(
  entries: readonly Entry[],
  key: (entry: Entry) => string | undefined,
  path: FieldPath,
  field?: string,
): readonly RuleViolation[] {
  const firstIndex = new Map<string, number>();
  const violations: RuleViolation[] = [];
  entries.forEach((entry, index) => {
    const identity = key(entry);
    if (identity === undefined) return;
    const first = firstIndex.get(identity);
    if (first === undefined) {
      firstIndex.set(identity, index);
    } else {
      const at = field === undefined ? [...path, index] : [...path, index, field];
      violations.push({ path: at, message: `repeats ${identity} of entry ${first}; write it once` });
    }
  });
  return violations;
}
