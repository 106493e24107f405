import { globSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { parse } from 'yaml';
import type { KubeObject } from './objects.ts';
import { isMapping } from './objects.ts';
import { objectSchema } from './schema.ts';
import type { Schema } from './schema.ts';

export interface Column {
  readonly name: string;
  readonly type: string;
  readonly jsonPath: string;
  readonly description?: string;
  readonly format?: string;
  readonly priority?: number;
}

/** One kind as the server offers it: built in, or from a CustomResourceDefinition. */
export interface ResourceType {
  /** '' is the core group. */
  readonly group: string;
  readonly version: string;
  readonly kind: string;
  readonly listKind: string;
  readonly plural: string;
  readonly singular: string;
  readonly shortNames: readonly string[];
  readonly categories: readonly string[];
  readonly isNamespaced: boolean;
  /** From a definition: schema and rules are enforced as apiextensions does. */
  readonly isCustom: boolean;
  readonly hasStatus: boolean;
  /** The server counts changes of what people write, in metadata.generation. */
  readonly hasGeneration: boolean;
  /** As discovery tells them. @default all */
  readonly verbs?: readonly string[];
  /** Of a whole object, metadata included. */
  readonly schema: Schema;
  readonly columns: readonly Column[];
  /** JSON paths for field selectors beside metadata.name and metadata.namespace. */
  readonly selectableFields: readonly string[];
  /** A write without resourceVersion replaces whatever is there. */
  readonly allowsUnconditionalUpdate: boolean;
  /** Two kinds may show one set of objects: events of both groups. Default: the type itself. */
  readonly storage?: StorageView;
}

export interface StorageView {
  readonly of: string;
  readonly toStored: (object: KubeObject) => KubeObject;
  readonly fromStored: (object: KubeObject) => KubeObject;
}

/** `networking.lvs-operator.io/v1alpha1`, `v1` */
export function apiVersionOf({ group, version }: ResourceType): string {
  return group === '' ? version : `${group}/${version}`;
}

/** What objects of the type are stored under. */
export function storageOf(type: ResourceType): string {
  return type.storage?.of ?? `${type.group}/${type.plural}`;
}

const crdFolder = path.join(import.meta.dirname, '../../crds');

/** The definitions of a folder, one served version each. */
export function readDefinitions(folder: string = crdFolder): unknown[] {
  return globSync('*.yaml', { cwd: folder })
    .sort()
    .map((file): unknown => parse(readFileSync(path.join(folder, file), 'utf8')));
}

/** @throws Error where the definition is not one that this server understands */
export function customResourceType(definition: unknown): ResourceType {
  const { spec } = definition as Definition;
  const [version] = spec.versions.filter(({ served }) => served);
  if (version === undefined || !isMapping(version.schema.openAPIV3Schema)) {
    throw new Error('the definition has no served version with a schema');
  }
  if (JSON.stringify(version.schema).includes('oldSelf')) {
    throw new Error(`${spec.names.kind}: rules about oldSelf are not known to this server`);
  }
  return {
    group: spec.group,
    version: version.name,
    kind: spec.names.kind,
    listKind: spec.names.listKind ?? `${spec.names.kind}List`,
    plural: spec.names.plural,
    singular: spec.names.singular ?? spec.names.kind.toLowerCase(),
    shortNames: spec.names.shortNames ?? [],
    categories: spec.names.categories ?? [],
    isNamespaced: spec.scope === 'Namespaced',
    isCustom: true,
    hasGeneration: true,
    hasStatus: version.subresources?.status !== undefined,
    schema: objectSchema(version.schema.openAPIV3Schema),
    columns: version.additionalPrinterColumns ?? [
      { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp' },
    ],
    selectableFields: (version.selectableFields ?? []).map(({ jsonPath }) => jsonPath),
    allowsUnconditionalUpdate: false,
  };
}

interface Definition {
  readonly spec: {
    readonly group: string;
    readonly scope: string;
    readonly names: {
      readonly kind: string;
      readonly listKind?: string;
      readonly plural: string;
      readonly singular?: string;
      readonly shortNames?: readonly string[];
      readonly categories?: readonly string[];
    };
    readonly versions: readonly {
      readonly name: string;
      readonly served: boolean;
      readonly schema: { readonly openAPIV3Schema: Schema };
      readonly subresources?: { readonly status?: object };
      readonly additionalPrinterColumns?: readonly Column[];
      readonly selectableFields?: readonly { readonly jsonPath: string }[];
    }[];
  };
}
