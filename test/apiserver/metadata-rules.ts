/** What an API server demands of metadata, for every kind. */
import { badRequest, fieldProblem } from './api-error.ts';
import type { FieldProblem } from './api-error.ts';
import { isMapping } from './objects.ts';
import type { KubeObject, Mapping } from './objects.ts';
import type { ResourceType } from './resource-type.ts';

const label = '[a-z0-9]([-a-z0-9]*[a-z0-9])?';
const subdomain = String.raw`${label}(\.${label})*`;
const labelValue = '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?';
const qualifiedName = '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]';
const matches = (pattern: string, value: string) => new RegExp(`^(?:${pattern})$`).test(value);

/** Fields that Go reads into text or maps of text; anything else is no object at all. */
export function assertMetadataTypes({ kind, version, isCustom }: ResourceType, metadata: Mapping): void {
  const cannot = (what: unknown, field: string, type: string) => {
    const where = `ObjectMeta.${isCustom ? '' : 'metadata.'}${field}`;
    const why = `json: cannot unmarshal ${nameOf(what)} into Go struct field ${where} of type ${type}`;
    return badRequest(`${kind} in version "${version}" cannot be handled as a ${kind}: ${why}`);
  };
  for (const field of ['name', 'namespace', 'generateName', 'uid', 'resourceVersion']) {
    const value = metadata[field];
    if (value === null) delete metadata[field];
    else if (value !== undefined && typeof value !== 'string') throw cannot(value, field, 'string');
  }
  for (const field of ['labels', 'annotations']) {
    const value = metadata[field];
    if (value === undefined || value === null) continue;
    if (!isMapping(value)) throw cannot(value, field, 'map[string]string');
    for (const entry of Object.values(value)) {
      if (typeof entry !== 'string') throw cannot(entry, field, 'string');
    }
  }
}

function nameOf(value: unknown): string {
  if (Array.isArray(value)) return 'array';
  return typeof value === 'boolean' ? 'bool' : typeof value;
}

export function metadataProblems(type: ResourceType, { metadata }: KubeObject): FieldProblem[] {
  const problems: FieldProblem[] = [];
  const say = (field: string, what: string) =>
    problems.push(fieldProblem(`metadata.${field}`, 'Invalid', what));
  const isLabel = type.plural === 'namespaces' || type.plural === 'services';
  const { name } = metadata;
  if (name === '') {
    problems.push(fieldProblem('metadata.name', 'Required', 'name or generateName is required'));
  } else if (name.length > (isLabel ? 63 : 253)) {
    problems.push(fieldProblem('metadata.name', 'TooLong', 'may not be more than 253 bytes'));
  } else if (!matches(isLabel ? label : subdomain, name)) {
    say('name', `${JSON.stringify(name)}: ${isLabel ? labelRule : subdomainRule}`);
  }
  for (const [key, value] of Object.entries(metadata.labels ?? {})) {
    if (!isQualifiedName(key)) say('labels', `${JSON.stringify(key)}: name part ${labelKeyRule}`);
    if (value.length > 63 || !matches(labelValue, value)) {
      say('labels', `${JSON.stringify(value)}: ${labelValueRule}`);
    }
  }
  for (const key of Object.keys(metadata.annotations ?? {})) {
    if (!isQualifiedName(key.toLowerCase()))
      say('annotations', `${JSON.stringify(key)}: name part ${labelKeyRule}`);
  }
  if (JSON.stringify(metadata.annotations ?? {}).length > 256 * 1024) {
    problems.push(fieldProblem('metadata.annotations', 'TooLong', 'may not be more than 262144 bytes'));
  }
  for (const [index, owner] of (metadata.ownerReferences ?? []).entries()) {
    for (const field of ['apiVersion', 'kind', 'name', 'uid'] as const) {
      if (!owner[field]) say(`ownerReferences[${index}].${field}`, '"": must not be empty');
    }
  }
  return problems;
}

function isQualifiedName(key: string): boolean {
  const [prefix, name] = key.includes('/') ? key.split(/\/(.*)/s) : [undefined, key];
  return (
    (prefix === undefined || matches(subdomain, prefix)) &&
    name !== undefined &&
    name.length <= 63 &&
    matches(qualifiedName, name)
  );
}

const subdomainRule = `a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '${subdomain}')`;
const labelRule = `a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '${label}')`;
const labelKeyRule = `must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '${qualifiedName}')`;
const labelValueRule = `a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '${labelValue}')`;
