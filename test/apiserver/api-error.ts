import type { ResourceType } from './resource-type.ts';

export interface Cause {
  readonly reason: string;
  readonly message: string;
  readonly field: string;
}

interface Details {
  readonly name?: string;
  readonly group?: string;
  readonly kind?: string;
  readonly uid?: string;
  readonly causes?: readonly Cause[];
  readonly retryAfterSeconds?: number;
}

/** An answer that is no success, as a `Status` of Kubernetes. */
export class ApiError extends Error {
  readonly code: number;
  readonly reason: string;
  readonly details: Details | undefined;
  readonly listMeta: Readonly<Record<string, string>>;

  constructor(
    code: number,
    reason: string,
    message: string,
    details?: Details,
    listMeta: Readonly<Record<string, string>> = {},
  ) {
    super(message);
    this.code = code;
    this.reason = reason;
    this.details = details;
    this.listMeta = listMeta;
  }

  toStatus(): Record<string, unknown> {
    return {
      kind: 'Status',
      apiVersion: 'v1',
      metadata: this.listMeta,
      status: 'Failure',
      message: this.message,
      ...(this.reason === '' ? {} : { reason: this.reason }),
      ...(this.details === undefined ? {} : { details: this.details }),
      code: this.code,
    };
  }
}

const about = (type: ResourceType, name: string) => ({
  ...(name === '' ? {} : { name }),
  ...(type.group === '' ? {} : { group: type.group }),
  kind: type.plural,
});

/** `virtualservices.networking.lvs-operator.io` */
export function qualified(type: ResourceType): string {
  return type.group === '' ? type.plural : `${type.plural}.${type.group}`;
}

export function notFound(type: ResourceType, name: string): ApiError {
  return new ApiError(404, 'NotFound', `${qualified(type)} "${name}" not found`, about(type, name));
}

export function alreadyExists(type: ResourceType, name: string): ApiError {
  const message = `${qualified(type)} "${name}" already exists`;
  return new ApiError(409, 'AlreadyExists', message, about(type, name));
}

const modified =
  'the object has been modified; please apply your changes to the latest version and try again';

export function conflict(type: ResourceType, name: string, why: string = modified): ApiError {
  const message = `Operation cannot be fulfilled on ${qualified(type)} "${name}": ${why}`;
  return new ApiError(409, 'Conflict', message, about(type, name));
}

/** A deletion that was meant for another object, or another version of it. */
export function preconditionFailed(
  type: ResourceType,
  name: string,
  what: 'UID' | 'ResourceVersion',
  values: { readonly wanted: string; readonly found: string | undefined },
): ApiError {
  const kind = type.group === '' ? type.kind : `${type.kind}.${type.group}`;
  const why = what === 'UID' ? 'deleted and then recreated' : 'modified';
  const differs = `the ${what} in the precondition (${values.wanted}) does not match the ${what} in record (${values.found ?? ''})`;
  const message = `Operation cannot be fulfilled on ${kind} "${name}": ${differs}. The object might have been ${why}`;
  return new ApiError(409, 'Conflict', message, { ...about(type, name), kind: type.kind });
}

export function badRequest(message: string): ApiError {
  return new ApiError(400, 'BadRequest', message);
}

export function forbidden(type: ResourceType, name: string, why: string): ApiError {
  const subject = name === '' ? '' : ` "${name}"`;
  const message = `${qualified(type)}${subject} is forbidden: ${why}`;
  return new ApiError(403, 'Forbidden', message, about(type, name));
}

export function gone(message: string, listMeta: Readonly<Record<string, string>> = {}): ApiError {
  return new ApiError(410, 'Expired', message, undefined, listMeta);
}

/** What is wrong with one field; `text` begins with the kind of the error, as people see it after the path. */
export interface FieldProblem {
  readonly field: string;
  readonly reason: string;
  readonly text: string;
}

const words: Readonly<Record<string, string>> = {
  Required: 'Required value',
  Invalid: 'Invalid value',
  TypeInvalid: 'Invalid value',
  NotSupported: 'Unsupported value',
  Duplicate: 'Duplicate value',
  TooLong: 'Too long',
  TooMany: 'Too many',
  Forbidden: 'Forbidden',
};

/**
 * @param type without its prefix: `Required`, `Invalid`
 * @param detail what follows the kind of the error, with the value where it is shown
 */
export function fieldProblem(field: string, type: string, detail = ''): FieldProblem {
  const text = `${words[type] ?? type}${detail === '' ? '' : `: ${detail}`}`;
  return { field, reason: `FieldValue${type}`, text };
}

/** `kind` and `group` of what is judged, which for options is not the kind of the object. */
export function invalid(
  kind: string,
  group: string,
  name: string,
  problems: readonly FieldProblem[],
): ApiError {
  const texts = problems.map(({ field, text }) => `${field}: ${text}`);
  const said = texts.length === 1 ? texts[0] : `[${texts.join(', ')}]`;
  const what = group === '' ? kind : `${kind}.${group}`;
  return new ApiError(422, 'Invalid', `${what} "${name}" is invalid: ${said}`, {
    name,
    ...(group === '' ? {} : { group }),
    kind,
    causes: problems.map(({ field, reason, text }) => ({ reason, message: text, field })),
  });
}
