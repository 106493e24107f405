import { formatObjectRef } from '../api/index.ts';
import type {
  AddressPoolResource,
  FieldPath,
  ObjectRef,
  RealServerResource,
  Resource,
  VirtualServiceResource,
} from '../api/index.ts';
import { locateInDocument } from './manifest-document.ts';
import type { ManifestEntry } from './manifest-document.ts';
import type { ManifestFile, PlacedDocument } from './manifest-file.ts';
import { formatPosition, positionOfOffset } from './position.ts';
import type { SourcePosition } from './position.ts';

/** Something that a person has to correct. */
export interface ManifestProblem extends SourcePosition {
  /** Without the position; `formatManifestProblem` puts it in front. */
  readonly message: string;
  /** CamelCase, stable. */
  readonly reason: string;
  /** The object that is refused, when it can be told. */
  readonly object: ObjectRef | undefined;
}

/** One object of a file. */
export interface ManifestObject {
  readonly ref: ObjectRef;
  readonly resource: Resource;
  readonly file: string;
  /** Where the field at a path is written; for a field that is not written, the nearest one around it. */
  locate(path: FieldPath): SourcePosition;
}

/** One look at all files. */
export interface ManifestReading {
  /** Files that were read or tried, sorted. */
  readonly files: readonly string[];
  /** What is whole and unique, by `formatObjectRef`. */
  readonly objects: ReadonlyMap<string, ManifestObject>;
  readonly problems: readonly ManifestProblem[];
  /** Objects that are written but refused, by `formatObjectRef`: present, only not usable. */
  readonly brokenObjects: ReadonlyMap<string, ObjectRef>;
  /**
   * Files and folders whose objects cannot all be told: unreadable, not YAML, without a readable name, or just being
   * written. What was read from there before must not be taken for removed; see `keepLastGood`.
   */
  readonly incompletePaths: readonly string[];
  /** No broken object and no incomplete path: what is absent here was removed by a person. */
  readonly isComplete: boolean;
}

/** `web.yaml:12:5: VirtualService default/web: spec.scheduler must be one of …` */
export function formatManifestProblem(problem: ManifestProblem): string {
  const subject = problem.object === undefined ? '' : `${formatObjectRef(problem.object)}: `;
  return `${formatPosition(problem)}: ${subject}${problem.message}`;
}

/** The resources of a reading, or of what `keepLastGood` made of it, by kind. */
export function groupResources(objects: Iterable<Pick<ManifestObject, 'resource'>>): {
  readonly virtualServices: readonly VirtualServiceResource[];
  readonly realServers: readonly RealServerResource[];
  readonly addressPools: readonly AddressPoolResource[];
} {
  const virtualServices: VirtualServiceResource[] = [];
  const realServers: RealServerResource[] = [];
  const addressPools: AddressPoolResource[] = [];
  for (const { resource } of objects) {
    switch (resource.kind) {
      case 'VirtualService':
        virtualServices.push(resource);
        break;
      case 'RealServer':
        realServers.push(resource);
        break;
      case 'AddressPool':
        addressPools.push(resource);
        break;
      case 'RealServerSlice':
      case 'Director':
        // `parseManifestDocument` refuses them: no manifest holds one.
        break;
    }
  }
  return { virtualServices, realServers, addressPools };
}

export interface ReadingInput {
  readonly files: readonly ManifestFile[];
  /** Paths that could not be looked at, beside those of `files`. */
  readonly unreadable: readonly { readonly path: string; readonly message: string }[];
  /** Paths that may be in the middle of being written. */
  readonly unsettledPaths: readonly string[];
}

/**
 * Puts the files together and refuses objects that are written more than once. Pure.
 * @param last an earlier answer, to which most of the new one may be equal.
 */
export function combineFiles(
  input: ReadingInput,
  last?: { readonly input: ReadingInput; readonly reading: ManifestReading },
): ManifestReading {
  return (last === undefined ? undefined : replaceFiles(input, last)) ?? combineAll(input);
}

/**
 * The everyday edit: objects changed in place. Where nothing was and is wrong, and each file holds objects of the same
 * names as before, names are as unique as they were, and only these objects are new.
 * @returns undefined when more has changed than that.
 */
function replaceFiles(
  input: ReadingInput,
  last: { readonly input: ReadingInput; readonly reading: ManifestReading },
): ManifestReading | undefined {
  const { files, unreadable, unsettledPaths } = input;
  const { reading, input: before } = last;
  const isFlawless = reading.isComplete && reading.problems.length === 0;
  if (!isFlawless || files.length !== before.files.length) return undefined;
  if (unreadable.length > 0 || unsettledPaths.length > 0) return undefined;
  const replaced: ManifestFile[] = [];
  for (const [index, file] of files.entries()) {
    const old = before.files[index];
    if (old === file) continue;
    if (old?.path !== file.path || !holdsSameNames(old, file) || !file.documents.every(isWhole))
      return undefined;
    replaced.push(file);
  }
  const objects = new Map(reading.objects);
  for (const file of replaced) {
    for (const placed of file.documents) {
      for (const entry of placed.document.entries) {
        const object = describeObject(new WrittenObject(file.path, placed, entry));
        if (entry.key !== undefined && object !== undefined) objects.set(entry.key, object);
      }
    }
  }
  return { ...reading, objects };
}

function holdsSameNames(a: ManifestFile, b: ManifestFile): boolean {
  const count = ({ documents }: ManifestFile) =>
    documents.reduce((sum, { document }) => sum + document.entries.length, 0);
  return (
    a.failure === undefined &&
    b.failure === undefined &&
    a.keys.size === b.keys.size &&
    count(b) === b.keys.size &&
    [...b.keys].every((key) => a.keys.has(key))
  );
}

function isWhole({ document }: PlacedDocument): boolean {
  return (
    document.yamlProblems.length === 0 &&
    document.entries.every(
      ({ key, resource, problems }) => key !== undefined && resource !== undefined && problems.length === 0,
    )
  );
}

function combineAll({ files, unreadable, unsettledPaths }: ReadingInput): ManifestReading {
  const problems: ManifestProblem[] = unreadable.map(({ path, message }) =>
    failureProblem(path, { message, line: 1, column: 1 }),
  );
  const incompletePaths = new Set([...unsettledPaths, ...unreadable.map(({ path }) => path)]);
  const written = new Map<string, WrittenObject[]>();
  for (const file of files) {
    if (file.failure !== undefined) {
      problems.push(failureProblem(file.path, file.failure));
      incompletePaths.add(file.path);
    }
    for (const placed of file.documents) {
      for (const { offset, message, ref } of placed.document.yamlProblems) {
        const position = positionOfOffset(placed.document.text, offset, placed.firstLine);
        problems.push({ file: file.path, ...position, message, reason: 'InvalidYaml', object: ref });
        incompletePaths.add(file.path);
      }
      for (const entry of placed.document.entries) {
        const object = new WrittenObject(file.path, placed, entry);
        problems.push(...object.problems());
        const { key } = entry;
        if (key === undefined) {
          incompletePaths.add(file.path);
        } else {
          const copies = written.get(key);
          if (copies === undefined) written.set(key, [object]);
          else copies.push(object);
        }
      }
    }
  }
  const objects = new Map<string, ManifestObject>();
  const brokenObjects = new Map<string, ObjectRef>();
  for (const [key, copies] of written) {
    const [first, ...others] = copies;
    const ref = first?.entry.ref;
    if (first === undefined || ref === undefined) continue;
    const object = others.length === 0 ? describeObject(first) : undefined;
    if (object !== undefined) objects.set(key, object);
    else {
      brokenObjects.set(key, ref);
      problems.push(...others.map((copy) => duplicateProblem(ref, first, copy)));
    }
  }
  problems.sort(compareProblems);
  return {
    files: files.map(({ path }) => path),
    objects,
    problems,
    brokenObjects,
    incompletePaths: [...incompletePaths].sort(),
    isComplete: incompletePaths.size === 0 && brokenObjects.size === 0,
  };
}

function describeObject(written: WrittenObject): ManifestObject | undefined {
  const { ref, resource } = written.entry;
  if (ref === undefined || resource === undefined) return undefined;
  return { ref, resource, file: written.file, locate: (path) => written.locate(path) };
}

class WrittenObject {
  readonly file: string;
  readonly placed: PlacedDocument;
  readonly entry: ManifestEntry;

  constructor(file: string, placed: PlacedDocument, entry: ManifestEntry) {
    this.file = file;
    this.placed = placed;
    this.entry = entry;
  }

  locate(path: FieldPath): SourcePosition {
    const { document, firstLine } = this.placed;
    const offset = locateInDocument(document, this.entry, path);
    return { file: this.file, ...positionOfOffset(document.text, offset, firstLine) };
  }

  problems(): readonly ManifestProblem[] {
    return this.entry.problems.map(({ path, message, reason }) => ({
      ...this.locate(path),
      message,
      reason,
      object: this.entry.ref,
    }));
  }
}

/** Which copy is meant cannot be told, so none is believed and the last good one stays. */
function duplicateProblem(object: ObjectRef, first: WrittenObject, copy: WrittenObject): ManifestProblem {
  const message = `is written at ${formatPosition(first.locate(['metadata', 'name']))} already; keep one of them`;
  return { ...copy.locate(['metadata', 'name']), message, reason: 'DuplicateObject', object };
}

function failureProblem(
  file: string,
  failure: { readonly message: string; readonly line: number; readonly column: number },
): ManifestProblem {
  return { file, ...failure, reason: 'FileUnreadable', object: undefined };
}

function compareProblems(a: ManifestProblem, b: ManifestProblem): number {
  if (a.file !== b.file) return a.file < b.file ? -1 : 1;
  return a.line - b.line || a.column - b.column;
}
