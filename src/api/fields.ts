import * as z from 'zod';
import { LvsError, parseCidr, parseIpAddress, parseIpRange } from '../base/index.ts';
import type { Cidr, IpAddress, IpRange } from '../base/index.ts';
import { isCidrCel, isIpAddressCel, isIpRangeCel } from './cel.ts';
import { nearestWord } from './nearest-word.ts';
import { describeValue } from './describe-value.ts';

/**
 * The building blocks of our schemas. Each is a structural OpenAPI type with a limit, and each speaks for itself when
 * a value does not fit: what is wanted, what was found, and what to do about the usual YAML accidents.
 */

/** What zod tells an error function; `input` is the value that did not fit. */
interface Misfit {
  readonly code?: string | undefined;
  readonly input?: unknown;
  readonly keys?: readonly string[];
  /** What is wrong with a key. */
  readonly issues?: readonly { readonly message?: string }[];
}

/**
 * An object that refuses fields it does not know.
 * @param hints messages for well-known fields that do not belong here (yet), by field name.
 */
export function fields<Shape extends z.ZodRawShape>(
  shape: Shape,
  hints: Readonly<Record<string, string>> = {},
) {
  return z.strictObject(shape, {
    error: (misfit: Misfit) => {
      if (misfit.code !== 'unrecognized_keys') return wanted('a mapping of fields', misfit.input);
      return unknownFieldMessages(misfit.keys ?? [], Object.keys(shape), hints).join('\n');
    },
  });
}

/** One message per unknown key, in the order of `keys`; the problem collector takes them apart again. */
function unknownFieldMessages(
  keys: readonly string[],
  known: readonly string[],
  hints: Readonly<Record<string, string>>,
): string[] {
  return keys.map((key) => {
    const hint = Object.hasOwn(hints, key) ? hints[key] : undefined;
    if (hint !== undefined) return hint;
    if (known.length === 0) return 'is not a field here; no field is';
    const nearest = nearestWord(key, known);
    return nearest === undefined
      ? `is not a field here; known fields are ${known.join(', ')}`
      : `is not a field here; did you mean "${nearest}"?`;
  });
}

/**
 * An object that skips fields it does not know: what our own programs write for each other, which may be a version
 * apart, and statuses. An API server drops what its definition does not know.
 */
export function lenientFields<Shape extends z.ZodRawShape>(shape: Shape) {
  return z.object(shape, { error: (misfit: Misfit) => wanted('a mapping of fields', misfit.input) });
}

/** A whole number within limits, both included. */
export function integer(minimum: number, maximum: number) {
  const error = (misfit: Misfit) => wanted(`a whole number from ${minimum} to ${maximum}`, misfit.input);
  return z.int({ error }).min(minimum, { error }).max(maximum, { error });
}

/** A number within limits, both included. */
export function decimal(minimum: number, maximum: number) {
  const error = (misfit: Misfit) => wanted(`a number from ${minimum} to ${maximum}`, misfit.input);
  return z.number({ error }).min(minimum, { error }).max(maximum, { error });
}

export function flag() {
  return z.boolean({ error: (misfit: Misfit) => wanted('true or false', misfit.input) });
}

/** One of a few words. */
export function choice<const Words extends readonly [string, ...string[]]>(words: Words) {
  return z.enum(words, {
    error: (misfit: Misfit) => {
      const nearest = typeof misfit.input === 'string' ? nearestWord(misfit.input, words) : undefined;
      const suggestion = nearest === undefined ? '' : `; did you mean "${nearest}"?`;
      return `${wanted(`one of ${words.join(', ')}`, misfit.input)}${suggestion}`;
    },
  });
}

/** The key of a schema's metadata that names the form of a text for the reference; no CRD has it. */
export const formKey = 'x-lvs-form';

/** Text of a certain form. `what` names the form for people. */
export function text(what: string, pattern: RegExp, maxLength: number) {
  const error = (misfit: Misfit) => wanted(what, misfit.input);
  return z
    .string({ error })
    .max(maxLength, { error })
    .regex(pattern, { error })
    .meta({ [formKey]: what });
}

/** DNS-1123 label, as Kubernetes asks of namespaces and port names. */
export function label(what: string) {
  return text(
    `${what}: at most 63 lower-case letters, digits and "-", beginning and ending with a letter or digit`,
    /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/,
    63,
  );
}

/** DNS-1123 subdomain, as Kubernetes asks of object names. */
export function objectName(what: string) {
  return text(
    `${what}: at most 253 lower-case letters, digits, "-" and ".", beginning and ending with a letter or digit`,
    /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/,
    253,
  );
}

/** Text that people read; any characters. */
export function words(what: string, maxLength: number) {
  const error = (misfit: Misfit) => wanted(`${what}, at most ${maxLength} characters`, misfit.input);
  return z
    .string({ error })
    .max(maxLength, { error })
    .meta({ [formKey]: what });
}

/** A moment in RFC 3339 that `Date.parse` reads. */
export function timestamp() {
  const what = 'a time such as 2026-01-31T12:00:00Z';
  return text(what, /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,9})?(Z|[+-]\d{2}:\d{2})$/, 64)
    .refine((written) => Number.isFinite(Date.parse(written)), {
      error: (misfit: Misfit) => wanted(what, misfit.input),
    })
    .meta({ [formKey]: what, format: 'date-time' });
}

/** Text by text, such as labels. @param key what every key must be. */
export function textMap<Key extends z.ZodType<string, string>, Value extends z.ZodType>(
  key: Key,
  value: Value,
  maxProperties: number,
) {
  const error = (misfit: Misfit) =>
    misfit.code === 'invalid_key'
      ? (misfit.issues?.[0]?.message ?? 'is no key that may stand here')
      : wanted('a mapping of text to text', misfit.input);
  return z
    .record(key, value, { error })
    .refine((map) => Object.keys(map).length <= maxProperties, {
      error: () => `must have at most ${maxProperties} entries`,
    })
    .meta({ maxProperties });
}

/** A list with limits on its length. Whoever applies it in Kubernetes owns the whole of it. */
export function list<Element extends z.ZodType>(element: Element, minimum: number, maximum: number) {
  return limitedList(element, minimum, maximum).meta({ 'x-kubernetes-list-type': 'atomic' });
}

/** A list of single values without order, to which several may contribute. That none is repeated is left to a rule. */
export function set<Element extends z.ZodType>(element: Element, minimum: number, maximum: number) {
  return limitedList(element, minimum, maximum).meta({ 'x-kubernetes-list-type': 'set' });
}

/** A list of entries that are told apart by some of their fields, which are required or have a default. */
export function keyedList<Element extends z.ZodType>(
  element: Element,
  keys: readonly string[],
  minimum: number,
  maximum: number,
) {
  return limitedList(element, minimum, maximum).meta({
    'x-kubernetes-list-type': 'map',
    'x-kubernetes-list-map-keys': keys,
  });
}

function limitedList<Element extends z.ZodType>(element: Element, minimum: number, maximum: number) {
  const error = (misfit: Misfit) =>
    Array.isArray(misfit.input)
      ? `must have ${minimum} to ${maximum} entries, not ${misfit.input.length}`
      : wanted('a list', misfit.input);
  return z.array(element, { error }).min(minimum, { error }).max(maximum, { error });
}

/** Longest spelling of an address, a CIDR or a range of two IPv6 addresses, with some air. */
const maxAddressTextLength = 100;

export function ipAddress() {
  return addressText<IpAddress>('an IP address', parseIpAddress, isIpAddressCel);
}

export function cidr() {
  return addressText<Cidr>('a network such as 192.0.2.0/24 or 2001:db8::/32', parseCidr, isCidrCel);
}

export function ipRange() {
  return addressText<IpRange>(
    'a network (192.0.2.0/24) or a range (192.0.2.10-192.0.2.20)',
    parseIpRange,
    isIpRangeCel,
  );
}

function addressText<Parsed>(what: string, parse: (text: string) => Parsed, rule: string) {
  const error = (misfit: Misfit) => wanted(what, misfit.input);
  return z
    .string({ error })
    .max(maxAddressTextLength, { error })
    .meta({ [formKey]: what, 'x-kubernetes-validations': [{ rule, message: `must be ${what}` }] })
    .transform((written, context): Parsed => {
      try {
        return parse(written);
      } catch (cause) {
        if (!(cause instanceof LvsError)) throw cause;
        context.issues.push({ code: 'custom', input: written, message: `must be ${what}: ${cause.message}` });
        return z.NEVER;
      }
    });
}

function wanted(what: string, input: unknown): string {
  return input === undefined ? `is required: ${what}` : `must be ${what}, not ${describeValue(input)}`;
}
