import type { Resource } from '../api/index.ts';

/**
 * Fields of a spec that the version before this one refuses in its last good state, with what they are where nobody writes
 * them; undefined: absent.
 */
const newerFields: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  VirtualService: {
    healthCheck: undefined,
    onFailure: 'Quiesce',
    quorum: undefined,
    sorryServer: undefined,
    panicThresholdPercent: 0,
    slowStart: undefined,
    'drain.onCordon': false,
    weightPolicy: undefined,
  },
  RealServer: { healthCheck: undefined },
};

/** What is written of an object: names and values, which nobody parses again. */
interface WrittenForm {
  readonly kind: string;
  readonly metadata: object;
  readonly spec: object;
}

/**
 * One object as this version and the one before can read it from disk. A director that somebody takes back to that version
 * while a manifest says more than it knows, or while the API server is away, serves by what it finds there, and drains what it
 * does not find. It refuses an object for one field that it does not know; so what says only the default is left out, and of an
 * object that uses a newer field there is a form without before the whole one.
 *
 * @returns the forms to write, in this order; who reads both goes by the last
 */
export function readableBefore(resource: Resource): readonly WrittenForm[] {
  const newer = newerFields[resource.kind];
  if (newer === undefined) return [resource];
  const plain = without(resource, (path, value) => path in newer && value === newer[path]);
  const reduced = without(plain, (path) => path in newer);
  return reduced === plain ? [plain] : [reduced, plain];
}

/** The same object where there is nothing to leave out. @param isLeftOut by path below `spec`, at most two names long */
function without(form: WrittenForm, isLeftOut: (path: string, value: unknown) => boolean): WrittenForm {
  const drop = (fields: object, prefix: string): object => {
    const entries = Object.entries(fields) as [string, unknown][];
    const kept = entries
      .filter(([name, value]) => !isLeftOut(prefix + name, value))
      .map(([name, value]) => {
        const isNested = prefix === '' && name === 'drain' && value instanceof Object;
        return [name, isNested ? drop(value, 'drain.') : value] as const;
      });
    const isSame =
      kept.length === entries.length && kept.every(([, value], at) => value === entries[at]?.[1]);
    return isSame ? fields : Object.fromEntries(kept);
  };
  const spec = drop(form.spec, '');
  return spec === form.spec ? form : { ...form, spec };
}
