/** Reading and writing objects as an API server does it: decode, default, validate, own, store. */
import { randomInt, randomUUID } from 'node:crypto';
import {
  ApiError,
  alreadyExists,
  badRequest,
  conflict,
  fieldProblem,
  forbidden,
  invalid,
  notFound,
  preconditionFailed,
} from './api-error.ts';
import type { FieldProblem } from './api-error.ts';
import { policyProblems } from './admission-policies.ts';
import type { AdmissionRequest } from './admission-policies.ts';
import { ruleProblems } from './cel-rules.ts';
import { onCreate } from './built-in-types.ts';
import { eventProblems } from './event-rules.ts';
import { applyConfiguration, ownUpdate } from './managed-fields.ts';
import type { Manager } from './managed-fields.ts';
import { assertMetadataTypes, metadataProblems } from './metadata-rules.ts';
import { formatTime, isMapping, isSame, valueAt } from './objects.ts';
import type { KubeObject, Mapping, ObjectMeta } from './objects.ts';
import { PatchFailure, jsonPatch, mergePatch, strategicMergePatch } from './patches.ts';
import { apiVersionOf, storageOf } from './resource-type.ts';
import type { ResourceType } from './resource-type.ts';
import type { Store } from './store.ts';
import { prune, withDefaults } from './structure.ts';
import { structureProblems } from './validation.ts';

export interface Target {
  readonly type: ResourceType;
  /** '' for cluster-wide kinds. */
  readonly namespace: string;
  readonly name: string;
  readonly subresource?: 'status' | undefined;
}

export interface WriteOptions {
  readonly manager: string;
  readonly isDryRun: boolean;
  readonly fieldValidation: 'Strict' | 'Warn' | 'Ignore';
  readonly isForced: boolean;
  /** A warning for the one who writes. */
  readonly warn: (text: string) => void;
  /** The written object is the stored one with changes; only an update speaks of a whole object. */
  readonly isPatch?: boolean;
  /** Has the last word on a write that is valid. @throws ApiError */
  readonly admit?: ((request: AdmissionRequest) => void) | undefined;
}

export interface DeleteOptions {
  readonly propagation: 'Background' | 'Foreground' | 'Orphan';
  readonly uid?: string | undefined;
  readonly resourceVersion?: string | undefined;
  readonly gracePeriodSeconds?: number | undefined;
  readonly isDryRun: boolean;
  readonly admit?: ((request: AdmissionRequest) => void) | undefined;
}

export type PatchType = 'json' | 'merge' | 'strategic' | 'apply';

export class Resources {
  readonly store: Store;
  readonly types: readonly ResourceType[];
  readonly #now: () => number;
  /**
   * New objects whose status is a default: it is added to what is read, and not stored. So the first write after the
   * creation stores something new, even where it says nothing new.
   */
  readonly #withUnwrittenStatus = new WeakSet<KubeObject>();

  constructor(store: Store, types: readonly ResourceType[], now: () => number) {
    this.store = store;
    this.types = types;
    this.#now = now;
  }

  find({ type, namespace, name }: Target): KubeObject | undefined {
    const stored = this.store.get(storageOf(type), keyOf(namespace, name));
    return stored && view(type, stored);
  }

  get(target: Target): KubeObject {
    const found = this.find(target);
    if (found === undefined) throw notFound(target.type, target.name);
    return found;
  }

  create(type: ResourceType, namespace: string, body: unknown, options: WriteOptions): KubeObject {
    const object = this.#decode(type, namespace, body, options);
    const { metadata } = object;
    if (metadata.resourceVersion !== undefined && metadata.resourceVersion !== '') {
      throw new ApiError(500, '', 'resourceVersion should not be set on objects to be created');
    }
    if (metadata.name === '' && metadata.generateName !== undefined) {
      metadata.name = `${metadata.generateName}${randomSuffix()}`;
    }
    const manager = this.#manager({ type, namespace, name: metadata.name }, options);
    return this.#insert(type, object, options, (fresh) =>
      ownUpdate(type.schema, undefined, { ...fresh, metadata: clearBooks(fresh.metadata) }, manager),
    );
  }

  update(target: Target, body: unknown, options: WriteOptions): KubeObject {
    const current = this.get(target);
    const next = this.#decode(target.type, target.namespace, body, options);
    if (next.metadata.name !== target.name) {
      throw badRequest(
        `the name of the object (${next.metadata.name}) does not match the name on the URL (${target.name})`,
      );
    }
    if ((next.metadata.resourceVersion ?? '') === '' && !target.type.allowsUnconditionalUpdate) {
      const problem = fieldProblem(
        'metadata.resourceVersion',
        'Invalid',
        '0: must be specified for an update',
      );
      throw invalid(target.type.kind, target.type.group, target.name, [problem]);
    }
    return this.#replace(target, current, next, options, (object) =>
      ownUpdate(target.type.schema, current, object, this.#manager(target, options)),
    );
  }

  /** @returns the object and whether it was made */
  patch(
    target: Target,
    patchType: PatchType,
    patch: unknown,
    options: WriteOptions,
  ): { readonly object: KubeObject; readonly isNew: boolean } {
    if (patchType === 'apply') return this.#apply(target, patch, options);
    const { type } = target;
    if (options.isForced) {
      throw invalid('PatchOptions', 'meta.k8s.io', '', [
        fieldProblem('force', 'Forbidden', 'may not be specified for non-apply patch'),
      ]);
    }
    if (patchType === 'strategic' && type.isCustom) {
      throw new ApiError(
        415,
        'UnsupportedMediaType',
        'the body of the request was in an unknown format - accepted media types include: application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml',
      );
    }
    const current = this.get(target);
    const patched = this.#patched(target, patchType, current, patch);
    const { value, unknown } = prune(type.schema, patched);
    if (unknown.length > 0 && options.fieldValidation === 'Strict') {
      throw invalid('', '', '', [
        fieldProblem('patch', 'Invalid', `${JSON.stringify(patched)}: ${strictError(unknown)}`),
      ]);
    }
    warnUnknown(unknown, options);
    const next = this.#decode(type, target.namespace, value, { ...options, fieldValidation: 'Ignore' });
    const object = this.#replace(target, current, next, { ...options, isPatch: true }, (written) =>
      ownUpdate(type.schema, current, written, this.#manager(target, options)),
    );
    return { object, isNew: false };
  }

  /** @returns the object as it is left, and whether it is gone */
  delete(target: Target, options: DeleteOptions): { readonly object: KubeObject; readonly isGone: boolean } {
    const current = this.get(target);
    const { type, name } = target;
    const { metadata } = current;
    if (options.uid !== undefined && options.uid !== metadata.uid) {
      throw preconditionFailed(type, name, 'UID', { wanted: options.uid, found: metadata.uid });
    }
    if (options.resourceVersion !== undefined && options.resourceVersion !== metadata.resourceVersion) {
      const values = { wanted: options.resourceVersion, found: metadata.resourceVersion };
      throw preconditionFailed(type, name, 'ResourceVersion', values);
    }
    const { isDryRun } = options;
    options.admit?.({ operation: 'DELETE', target, object: undefined, oldObject: current, isDryRun });
    const finalizers = new Set(metadata.finalizers);
    if (options.propagation === 'Foreground') finalizers.add('foregroundDeletion');
    if (options.propagation === 'Orphan') finalizers.add('orphan');
    const graceSeconds = graceOf(target, current, options);
    const mustWait = finalizers.size > 0 || graceSeconds > 0 || hasContent(type);
    if (!mustWait) {
      if (!options.isDryRun) this.store.delete(storageOf(type), keyOf(target.namespace, name));
      return { object: current, isGone: true };
    }
    const waiting: KubeObject = {
      ...current,
      metadata: {
        ...metadata,
        deletionTimestamp: metadata.deletionTimestamp ?? formatTime(this.#now() + graceSeconds * 1000),
        deletionGracePeriodSeconds: metadata.deletionGracePeriodSeconds ?? graceSeconds,
        ...(finalizers.size > 0 ? { finalizers: [...finalizers] } : {}),
      },
      ...(hasContent(type) ? { status: { phase: 'Terminating' } } : {}),
    };
    if (type.isCustom && metadata.deletionTimestamp === undefined) {
      waiting.metadata.generation = (metadata.generation ?? 0) + 1;
    }
    if (isSame(waiting, current) || options.isDryRun) return { object: waiting, isGone: false };
    return { object: this.#put(type, waiting), isGone: false };
  }

  /** Writes what the server itself changes: no validation, no owner. */
  overwrite(type: ResourceType, object: KubeObject): void {
    this.#settle(type, object);
  }

  #decode(type: ResourceType, namespace: string, body: unknown, options: WriteOptions): KubeObject {
    if (!isMapping(body)) throw badRequest('the object provided is unrecognized (must be of type object)');
    const { apiVersion = apiVersionOf(type), kind = type.kind } = body;
    if (apiVersion !== apiVersionOf(type)) {
      throw badRequest(
        `the API version in the data (${String(apiVersion)}) does not match the expected API version (${apiVersionOf(type)})`,
      );
    }
    if (kind !== type.kind && type.isCustom) {
      const problem = fieldProblem('kind', 'Invalid', `${JSON.stringify(kind)}: must be ${type.kind}`);
      const name = valueAt(body, '.metadata.name');
      throw invalid(String(kind), type.group, typeof name === 'string' ? name : '', [problem]);
    }
    if (kind !== type.kind) {
      const what = `${type.kind} in version "${type.version}" cannot be handled as a ${String(kind)}`;
      throw badRequest(`${what}: converting (${type.kind}) to (${String(kind)}): unknown conversion`);
    }
    const metadata: Mapping = { ...(isMapping(body['metadata']) ? body['metadata'] : {}) };
    assertMetadataTypes(type, metadata);
    const { value, unknown } = prune(type.schema, { ...body, apiVersion, kind, metadata });
    if (unknown.length > 0 && options.fieldValidation === 'Strict') {
      throw badRequest(
        `${type.kind} in version "${type.version}" cannot be handled as a ${type.kind}: ${strictError(unknown)}`,
      );
    }
    warnUnknown(unknown, options);
    const object = structuredClone(value) as KubeObject;
    const given = object.metadata.namespace ?? '';
    if (given !== '' && given !== namespace) {
      throw badRequest(
        'the namespace of the provided object does not match the namespace sent on the request',
      );
    }
    object.metadata.name = object.metadata.name ?? '';
    if (namespace !== '') object.metadata.namespace = namespace;
    return object;
  }

  #insert(
    type: ResourceType,
    object: KubeObject,
    options: WriteOptions,
    own: (object: KubeObject) => KubeObject,
  ): KubeObject {
    const { name, namespace = '' } = object.metadata;
    if (type.isNamespaced) this.#assertNamespace(type, namespace, name);
    const metadata: ObjectMeta = {
      ...object.metadata,
      uid: randomUUID(),
      creationTimestamp: formatTime(this.#now()),
      ...(type.hasGeneration ? { generation: 1 } : {}),
    };
    delete metadata.deletionTimestamp;
    delete metadata.deletionGracePeriodSeconds;
    delete metadata.resourceVersion;
    if (!type.hasGeneration) delete metadata.generation;
    let fresh: KubeObject = { ...object, metadata };
    if (type.hasStatus && type.plural !== 'nodes') delete fresh['status'];
    fresh = withDefaults(type.schema, onCreate(type, fresh)) as KubeObject;
    this.#validate(type, fresh);
    if (this.find({ type, namespace, name }) !== undefined) throw alreadyExists(type, name);
    const { isDryRun } = options;
    const target = { type, namespace, name };
    options.admit?.({ operation: 'CREATE', target, object: fresh, oldObject: undefined, isDryRun });
    // Owned is what was written; what the server adds by default belongs to nobody but the kinds without apply.
    const books = own(fresh);
    if (options.isDryRun) return books;
    const made = this.#put(type, books);
    if (type.isCustom && type.hasStatus && made['status'] !== undefined) this.#withUnwrittenStatus.add(made);
    return made;
  }

  #replace(
    target: Target,
    current: KubeObject,
    written: KubeObject,
    options: WriteOptions,
    own: (object: KubeObject) => KubeObject,
  ): KubeObject {
    const { type, name } = target;
    const { resourceVersion, uid = '' } = written.metadata;
    const isPatch = options.isPatch === true;
    if (uid !== '' && uid !== current.metadata.uid && !(isPatch && target.subresource === 'status'))
      throw otherUid(target, { given: uid, found: current.metadata.uid }, isPatch);
    if ((resourceVersion ?? '') !== '' && resourceVersion !== current.metadata.resourceVersion) {
      throw conflict(type, name);
    }
    const isStatus = target.subresource === 'status';
    let next: KubeObject = isStatus
      ? { ...current, metadata: { ...current.metadata } }
      : { ...written, metadata: { ...written.metadata } };
    const statusFrom = isStatus ? written : current;
    if (isStatus || type.hasStatus) {
      delete next['status'];
      if (statusFrom['status'] !== undefined) next['status'] = statusFrom['status'];
    }
    if (isStatus) {
      delete next.metadata.managedFields;
      if (written.metadata.managedFields !== undefined) {
        next.metadata.managedFields = written.metadata.managedFields;
      }
    }
    for (const field of serverFields) {
      delete next.metadata[field];
      const kept = current.metadata[field];
      if (kept !== undefined) Object.assign(next.metadata, { [field]: kept });
    }
    next = withDefaults(type.schema, next) as KubeObject;
    if (type.hasGeneration && !isSame(contentOf(type, current), contentOf(type, next))) {
      next.metadata.generation = (current.metadata.generation ?? 0) + 1;
    }
    this.#validate(type, next, current);
    const { isDryRun } = options;
    options.admit?.({ operation: 'UPDATE', target, object: next, oldObject: current, isDryRun });
    const owned = own(next);
    const isUnchanged = isSame(withoutTimes(owned), withoutTimes(current));
    if (isUnchanged && !this.#withUnwrittenStatus.has(current)) return current;
    return options.isDryRun ? owned : this.#settle(type, owned);
  }

  /** Stores the object, or lets it go when it waited only for this. */
  #settle(type: ResourceType, object: KubeObject): KubeObject {
    const { metadata } = object;
    const isWaiting = metadata.deletionTimestamp !== undefined;
    const isFree = (metadata.finalizers ?? []).length === 0 && !metadata.deletionGracePeriodSeconds;
    if (!isWaiting || !isFree || hasContent(type)) return this.#put(type, object);
    const { name, namespace = '' } = metadata;
    const last = this.store.delete(storageOf(type), keyOf(namespace, name));
    return last === undefined ? object : { ...object, metadata: { ...metadata } };
  }

  #patched(target: Target, patchType: PatchType, current: KubeObject, patch: unknown): unknown {
    if (patchType === 'merge') return mergePatch(current, patch);
    if (patchType === 'strategic') return strategicMergePatch(target.type.schema, current, patch);
    try {
      return jsonPatch(current, patch);
    } catch (error) {
      if (!(error instanceof PatchFailure)) throw error;
      throw new ApiError(422, 'Invalid', `the server rejected our request due to an error in our request`, {
        causes: [{ reason: 'FieldValueInvalid', message: error.message, field: 'patch' }],
      });
    }
  }

  #apply(target: Target, body: unknown, options: WriteOptions) {
    const { type, namespace, name } = target;
    if (options.manager === '') {
      throw invalid('PatchOptions', 'meta.k8s.io', '', [
        fieldProblem('fieldManager', 'Required', 'is required for apply patch'),
      ]);
    }
    if (!isMapping(body)) throw badRequest('error decoding YAML: the patch is no object');
    const { unknown } = prune(type.schema, body);
    const [first] = unknown;
    if (first !== undefined) {
      const what = `${namespace}/${name}; ${apiVersionOf(type)}, Kind=${type.kind}`;
      throw new ApiError(
        500,
        '',
        `failed to create typed patch object (${what}): .${first}: field not declared in schema`,
      );
    }
    const wanted = this.#decode(type, namespace, body, options);
    if (wanted.metadata.managedFields !== undefined) throw badRequest('metadata.managedFields must be nil');
    if (wanted.metadata.name === '') wanted.metadata.name = name;
    if (wanted.metadata.name !== name) {
      throw badRequest(
        `the name of the object (${wanted.metadata.name}) does not match the name on the URL (${name})`,
      );
    }
    const settable = settableFields(target, wanted);
    const current = this.find(target);
    const manager = this.#manager(target, options);
    const applied = applyConfiguration(
      type.schema,
      current && { ...current, metadata: { ...current.metadata } },
      settable,
      manager,
      options.isForced,
    );
    if (current === undefined) {
      if (target.subresource !== undefined) throw notFound(type, name);
      const { uid = '' } = wanted.metadata;
      const why = `uid mismatch: the provided object specified uid ${uid}, and no existing object was found`;
      if (uid !== '') throw conflict(type, name, why);
      const books = applied.metadata.managedFields ?? [];
      const object = this.#insert(type, applied, options, (fresh) => ({
        ...fresh,
        metadata: { ...fresh.metadata, managedFields: books },
      }));
      return { object, isNew: true };
    }
    const { resourceVersion } = wanted.metadata;
    const written = { ...applied, metadata: { ...applied.metadata } };
    if (resourceVersion !== undefined) written.metadata.resourceVersion = resourceVersion;
    const asPatch = { ...options, isPatch: true };
    return { object: this.#replace(target, current, written, asPatch, (object) => object), isNew: false };
  }

  #validate(type: ResourceType, object: KubeObject, before?: KubeObject): void {
    const { metadata } = object;
    const problems: FieldProblem[] = [...metadataProblems(type, object)];
    if (before?.metadata.deletionTimestamp !== undefined) {
      const old = new Set(before.metadata.finalizers);
      const added = (metadata.finalizers ?? []).filter((finalizer) => !old.has(finalizer));
      if (added.length > 0) {
        const found = added.map((finalizer) => JSON.stringify(finalizer)).join(', ');
        problems.push(
          fieldProblem(
            'metadata.finalizers',
            'Forbidden',
            `no new finalizers can be added if the object is being deleted, found new finalizers []string{${found}}`,
          ),
        );
      }
    }
    const structure = structureProblems(type.schema, object);
    problems.push(...structure);
    if (type.isCustom) problems.push(...ruleProblems(type.schema, object, structure));
    if (type.plural === 'validatingadmissionpolicies') problems.push(...policyProblems(object));
    if (type.group === 'events.k8s.io') problems.push(...eventProblems(object, before));
    if (problems.length > 0) throw invalid(type.kind, type.group, metadata.name, problems);
  }

  #assertNamespace(type: ResourceType, namespace: string, name: string): void {
    const namespaces = this.types.find(({ group, plural }) => group === '' && plural === 'namespaces');
    if (namespaces === undefined) return;
    const found = this.get({ type: namespaces, namespace: '', name: namespace });
    if (found.metadata.deletionTimestamp === undefined) return;
    throw forbidden(
      type,
      name,
      `unable to create new content in namespace ${namespace} because it is being terminated`,
    );
  }

  #put(type: ResourceType, object: KubeObject): KubeObject {
    const { name, namespace = '' } = object.metadata;
    const stored = this.store.put(
      storageOf(type),
      keyOf(namespace, name),
      type.storage?.toStored(object) ?? object,
    );
    return view(type, stored);
  }

  #manager({ type, subresource }: Target, options: WriteOptions): Manager {
    return {
      name: options.manager,
      apiVersion: apiVersionOf(type),
      subresource,
      time: formatTime(this.#now()),
      hasStatus: type.hasStatus,
    };
  }
}

/** Of metadata, what only the server changes. */
const serverFields = [
  'uid',
  'creationTimestamp',
  'generation',
  'deletionTimestamp',
  'deletionGracePeriodSeconds',
  'resourceVersion',
  'namespace',
] as const;

export function keyOf(namespace: string, name: string): string {
  return namespace === '' ? name : `${namespace}/${name}`;
}

/** The stored object as the type shows it. */
export function view(type: ResourceType, stored: KubeObject): KubeObject {
  return type.storage?.fromStored(stored) ?? stored;
}

function hasContent({ group, plural }: ResourceType): boolean {
  return group === '' && plural === 'namespaces';
}

/** A pod on a node waits for its kubelet. */
function graceOf({ type }: Target, current: KubeObject, options: DeleteOptions): number {
  if (type.group !== '' || type.plural !== 'pods') return 0;
  const { spec, status } = current;
  const isBound = isMapping(spec) && typeof spec['nodeName'] === 'string' && spec['nodeName'] !== '';
  const hasEnded = isMapping(status) && /^(?:Succeeded|Failed)$/.test(String(status['phase']));
  if (!isBound || hasEnded) return 0;
  const own = isMapping(spec) ? Number(spec['terminationGracePeriodSeconds'] ?? 30) : 30;
  return options.gracePeriodSeconds ?? own;
}

/** An update names the object that it is about; a patch would change what it is. */
function otherUid(
  { type, namespace, name }: Target,
  uid: { readonly given: string; readonly found: string | undefined },
  isPatch: boolean,
): ApiError {
  if (isPatch) {
    const what = `${JSON.stringify(uid.given)}: field is immutable`;
    return invalid(type.kind, type.group, name, [fieldProblem('metadata.uid', 'Invalid', what)]);
  }
  const key = `/registry/${type.group === '' ? '' : `${type.group}/`}${type.plural}/${keyOf(namespace, name)}`;
  const differs = `Precondition failed: UID in precondition: ${uid.given}, UID in object meta: ${uid.found}`;
  const why = `StorageError: invalid object, Code: 4, Key: ${key}, ResourceVersion: 0, AdditionalErrorMsg: ${differs}`;
  return conflict(type, name, why);
}

function clearBooks(metadata: ObjectMeta): ObjectMeta {
  const { managedFields: _, ...rest } = metadata;
  return { ...rest, name: metadata.name };
}

/** What counts for the generation. */
function contentOf(type: ResourceType, object: KubeObject): Mapping {
  const { metadata: _, status, ...content } = object;
  return type.hasStatus ? content : { ...content, status };
}

function withoutTimes(object: KubeObject): Mapping {
  const { managedFields, ...metadata } = object.metadata;
  return { ...object, metadata, books: managedFields?.map((entry) => ({ ...entry, time: '' })) ?? [] };
}

/** On `/status` only the status can be applied, elsewhere everything but the status. */
function settableFields({ type, subresource }: Target, wanted: KubeObject): KubeObject {
  const { status, ...rest } = wanted;
  if (subresource === 'status') {
    const { name, namespace } = wanted.metadata;
    const metadata = namespace === undefined ? { name } : { name, namespace };
    const { apiVersion, kind } = wanted;
    return { apiVersion, kind, metadata, ...(status === undefined ? {} : { status }) };
  }
  const { apiVersion, kind, metadata } = wanted;
  return type.hasStatus ? { ...rest, apiVersion, kind, metadata } : wanted;
}

function strictError(unknown: readonly string[]): string {
  return `strict decoding error: ${unknown.map((path) => `unknown field "${path}"`).join(', ')}`;
}

function warnUnknown(unknown: readonly string[], options: WriteOptions): void {
  if (options.fieldValidation !== 'Warn') return;
  for (const path of unknown) options.warn(`unknown field "${path}"`);
}

const suffixLetters = 'bcdfghjklmnpqrstvwxz2456789';

function randomSuffix(): string {
  return Array.from({ length: 5 }, () => suffixLetters[randomInt(suffixLetters.length)]).join('');
}
