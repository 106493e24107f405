import * as z from 'zod';
import { addressPoolRules } from './address-pool-rules.ts';
import { addressPoolSpecSchema } from './address-pool.ts';
import type { AddressPoolResource } from './address-pool.ts';
import { checkRules, parseWith, problem } from './collect-problems.ts';
import type { ParseOptions } from './collect-problems.ts';
import { describeValue } from './describe-value.ts';
import { directorRules, directorSpecSchema } from './director.ts';
import type { DirectorResource } from './director.ts';
import { fields } from './fields.ts';
import {
  apiGroup,
  apiVersion,
  clusterMetadataSchema,
  defaultNamespace,
  namespacedMetadataSchema,
  selectMetadata,
} from './metadata.ts';
import { isRecord } from './is-record.ts';
import { nearestWord } from './nearest-word.ts';
import type { ObjectRef } from './object-ref.ts';
import type { ObjectRule, ResourceProblem } from './problem.ts';
import { realServerRules } from './real-server-rules.ts';
import { realServerSliceRules } from './real-server-slice-rules.ts';
import { realServerSliceSpecSchema } from './real-server-slice.ts';
import type { RealServerSliceResource } from './real-server-slice.ts';
import { realServerSpecSchema } from './real-server.ts';
import type { RealServerResource } from './real-server.ts';
import { virtualServiceRules } from './virtual-service-rules.ts';
import { virtualServiceSpecSchema } from './virtual-service.ts';
import type { VirtualServiceResource } from './virtual-service.ts';

export type Resource =
  | VirtualServiceResource
  | RealServerResource
  | RealServerSliceResource
  | AddressPoolResource
  | DirectorResource;

export type ResourceResult =
  | { readonly ok: true; readonly resource: Resource }
  | {
      readonly ok: false;
      /** Which object it would have been, when kind and name can be read: it is present, but broken. */
      readonly object: ObjectRef | undefined;
      readonly problems: readonly ResourceProblem[];
    };

export const resourceKinds = [
  'VirtualService',
  'RealServer',
  'RealServerSlice',
  'AddressPool',
  'Director',
] as const;
export type ResourceKind = (typeof resourceKinds)[number];

/** What is told to people: nobody writes slices. */
const writtenKinds = resourceKinds.filter((kind) => kind !== 'RealServerSlice').join(', ');

const clusterKinds: ReadonlySet<string> = new Set<ResourceKind>(['AddressPool', 'Director']);

const virtualServiceSchema = envelope('VirtualService', namespacedMetadataSchema, virtualServiceSpecSchema);
const realServerSchema = envelope('RealServer', namespacedMetadataSchema, realServerSpecSchema);
const realServerSliceSchema = fields({
  apiVersion: z.literal(apiVersion),
  kind: z.literal('RealServerSlice'),
  metadata: namespacedMetadataSchema,
  spec: realServerSliceSpecSchema,
});
const directorSchema = envelope('Director', clusterMetadataSchema, directorSpecSchema.prefault({}));
const addressPoolSchema = envelope('AddressPool', clusterMetadataSchema, addressPoolSpecSchema);

/**
 * Reads one object of our group: structure, limits, defaults, and every rule that the object alone can decide. Rules
 * are judged once the structure is valid. Never throws for what a person wrote.
 * @param value plain data, as a YAML or JSON parser gives it.
 */
export function parseResource(value: unknown, options?: ParseOptions): ResourceResult {
  const kind = readKind(value);
  if (typeof kind !== 'string') return { ok: false, object: undefined, problems: [kind] };
  const refuse = (problems: readonly ResourceProblem[]): ResourceResult => ({
    ok: false,
    object: readObjectRef(value),
    problems,
  });
  switch (kind) {
    case 'VirtualService': {
      const parsed = parseKind(virtualServiceSchema, virtualServiceRules, value, options);
      return parsed.ok ? { ok: true, resource: namespaced(kind, parsed.value) } : refuse(parsed.problems);
    }
    case 'RealServer': {
      const parsed = parseKind(realServerSchema, realServerRules, value, options);
      return parsed.ok ? { ok: true, resource: namespaced(kind, parsed.value) } : refuse(parsed.problems);
    }
    case 'RealServerSlice': {
      const parsed = parseKind(realServerSliceSchema, realServerSliceRules, value, options);
      return parsed.ok ? { ok: true, resource: namespaced(kind, parsed.value) } : refuse(parsed.problems);
    }
    case 'AddressPool': {
      const parsed = parseKind(addressPoolSchema, addressPoolRules, value, options);
      return parsed.ok ? { ok: true, resource: clusterWide(kind, parsed.value) } : refuse(parsed.problems);
    }
    case 'Director': {
      const parsed = parseKind(directorSchema, directorRules, value, options);
      return parsed.ok ? { ok: true, resource: clusterWide(kind, parsed.value) } : refuse(parsed.problems);
    }
  }
}

/** The reference that an object of our kinds carries, however broken the rest of it is; undefined: not readable. */
export function readObjectRef(value: unknown): ObjectRef | undefined {
  const kind = readKind(value);
  if (typeof kind !== 'string' || !isRecord(value) || !isRecord(value['metadata'])) return undefined;
  const { name, namespace } = value['metadata'];
  if (typeof name !== 'string' || name === '') return undefined;
  if (clusterKinds.has(kind)) return { kind, name };
  return { kind, namespace: typeof namespace === 'string' ? namespace : defaultNamespace, name };
}

/** `kind: List`, as `kubectl get -o yaml` prints several objects. Its items are objects of their own. */
export function isResourceList(value: unknown): value is { readonly items: readonly unknown[] } {
  if (!isRecord(value) || !Array.isArray(value['items'])) return false;
  const { apiVersion: version, kind } = value;
  if (version === 'v1') return kind === 'List';
  return version === apiVersion && resourceKinds.some((known) => kind === `${known}List`);
}

function envelope<Kind extends string, Metadata extends z.ZodType, Spec extends z.ZodType>(
  kind: Kind,
  metadata: Metadata,
  spec: Spec,
) {
  return fields({
    apiVersion: z.literal(apiVersion),
    kind: z.literal(kind),
    metadata,
    spec,
    // Written by controllers; a file that was made with `kubectl get -o yaml` still holds it.
    status: z.record(z.string(), z.unknown()).nullish(),
  });
}

function parseKind<Schema extends z.ZodType<{ readonly spec: unknown }>>(
  schema: Schema,
  rules: readonly ObjectRule<z.output<Schema>['spec']>[],
  value: unknown,
  options: ParseOptions | undefined,
) {
  const parsed = parseWith(schema, value, options);
  if (!parsed.ok) return parsed;
  const problems = checkRules(rules, parsed.value.spec);
  return problems.length === 0 ? parsed : ({ ok: false, problems } as const);
}

function namespaced<Kind extends string, Spec>(
  kind: Kind,
  parsed: {
    readonly metadata: z.output<typeof namespacedMetadataSchema>;
    readonly spec: Spec;
    readonly status?: Record<string, unknown> | null | undefined;
  },
) {
  const { metadata, spec, status } = parsed;
  return {
    apiVersion,
    kind,
    metadata: { ...selectMetadata(metadata), namespace: metadata.namespace },
    spec,
    ...(status ? { status } : {}),
  } as const;
}

function clusterWide<Kind extends string, Spec>(
  kind: Kind,
  parsed: {
    readonly metadata: z.output<typeof clusterMetadataSchema>;
    readonly spec: Spec;
    readonly status?: Record<string, unknown> | null | undefined;
  },
) {
  const { metadata, spec, status } = parsed;
  return {
    apiVersion,
    kind,
    metadata: selectMetadata(metadata),
    spec,
    ...(status ? { status } : {}),
  } as const;
}

/** The kind, if it is one of ours in the version that we read; otherwise why not. */
function readKind(value: unknown): ResourceKind | ResourceProblem {
  if (!isRecord(value)) {
    return problem(
      [],
      `must be a mapping with apiVersion, kind, metadata and spec, not ${describeValue(value)}`,
      'InvalidValue',
    );
  }
  const { apiVersion: version, kind } = value;
  if (typeof version !== 'string') {
    return problem(['apiVersion'], `is required: write apiVersion: ${apiVersion}`, 'MissingField');
  }
  if (typeof kind !== 'string') {
    return problem(['kind'], `is required: one of ${writtenKinds}`, 'MissingField');
  }
  if (!version.startsWith(`${apiGroup}/`)) {
    const isOurKind = resourceKinds.some((known) => known === kind);
    const advice = isOurKind ? `write apiVersion: ${apiVersion}` : 'move it to another folder';
    return problem(
      ['apiVersion'],
      `${describeValue(version)} with kind ${describeValue(kind)} is not one of ours; ${advice}`,
      'ForeignKind',
    );
  }
  if (version !== apiVersion) {
    return problem(
      ['apiVersion'],
      `${describeValue(version)} is a version that this release does not read; write ${apiVersion}`,
      'UnknownVersion',
    );
  }
  const known = resourceKinds.find((candidate) => candidate === kind);
  if (known !== undefined) return known;
  const nearest = nearestWord(kind, resourceKinds);
  const advice = nearest === undefined ? `known kinds are ${writtenKinds}` : `did you mean "${nearest}"?`;
  return problem(
    ['kind'],
    `${describeValue(kind)} does not exist in ${apiVersion}; ${advice}`,
    'UnknownKind',
  );
}
