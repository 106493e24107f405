import { formatObjectRef, isResourceList, objectRefOf, parseResource, readObjectRef } from '../api/index.ts';
import type { FieldPath, ObjectRef, Resource, ResourceResult } from '../api/index.ts';
import { locateInYaml, parseYaml } from './yaml.ts';
import type { YamlProblem } from './yaml.ts';

/** One object in one document: whole, or refused with its problems. */
export interface ManifestEntry {
  readonly ref: ObjectRef | undefined;
  /** `formatObjectRef(ref)`, made once: it is asked for at every reading. */
  readonly key: string | undefined;
  readonly resource: Resource | undefined;
  readonly problems: readonly {
    readonly path: FieldPath;
    readonly message: string;
    readonly reason: string;
  }[];
  /** Which document of the text, and where in it the object begins (a List holds several). */
  readonly documentIndex: number;
  readonly prefix: FieldPath;
}

/**
 * What one piece of YAML text says. It depends on the text alone, so it is kept for as long as the text occurs, and the
 * `resource` objects in it stay the same objects from reading to reading.
 */
export interface ManifestDocument {
  readonly text: string;
  readonly entries: readonly ManifestEntry[];
  /** Not YAML at all: whatever objects it holds cannot be told. */
  readonly yamlProblems: readonly (YamlProblem & { readonly ref: ObjectRef | undefined })[];
}

export function parseManifestDocument(text: string): ManifestDocument {
  const entries: ManifestEntry[] = [];
  const yamlProblems: (YamlProblem & { readonly ref: ObjectRef | undefined })[] = [];
  parseYaml(text).forEach(({ value, problems }, documentIndex) => {
    if (problems.length > 0) {
      const ref = readObjectRef(value);
      yamlProblems.push(...problems.map((problem) => ({ ...problem, ref })));
    } else {
      entries.push(...parseObjects(value, documentIndex, []));
    }
  });
  return { text, entries, yamlProblems };
}

/** Offset of the field at `path` of an entry. */
export function locateInDocument(document: ManifestDocument, entry: ManifestEntry, path: FieldPath): number {
  return locateInYaml(document.text, entry.documentIndex, [...entry.prefix, ...path]);
}

function parseObjects(value: unknown, documentIndex: number, prefix: FieldPath): readonly ManifestEntry[] {
  if (prefix.length === 0 && isResourceList(value)) {
    return value.items.flatMap((item, index) => parseObjects(item, documentIndex, ['items', index]));
  }
  const result = refuseInternalKinds(parseResource(value));
  const ref = result.ok ? objectRefOf(result.resource) : result.object;
  return [
    {
      ref,
      key: ref === undefined ? undefined : formatObjectRef(ref),
      resource: result.ok ? result.resource : undefined,
      problems: result.ok ? [] : result.problems,
      documentIndex,
      prefix,
    },
  ];
}

/** What the operator writes in a cluster means nothing in a file, and is not skipped in silence. */
function refuseInternalKinds(result: ResourceResult): ResourceResult {
  if (!result.ok || (result.resource.kind !== 'RealServerSlice' && result.resource.kind !== 'Director')) {
    return result;
  }
  const message = `kind ${result.resource.kind} belongs to a cluster, where the operator writes it; remove it from the file`;
  return {
    ok: false,
    object: objectRefOf(result.resource),
    problems: [{ path: ['kind'], message, reason: 'NeedsCluster' }],
  };
}
