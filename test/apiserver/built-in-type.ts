/** How a kind that every API server has is described here. */
import type { Column, ResourceType, StorageView } from './resource-type.ts';
import { objectSchema } from './schema.ts';
import type { Schema } from './schema.ts';

export const age: Column = { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp' };
export const intOrString: Schema = { type: 'string', 'x-kubernetes-int-or-string': true };
/** One of the words; the first is the default. */
export const wordOr = (...words: string[]): Schema => ({ type: 'string', enum: words, default: words[0] });

interface Brief {
  readonly group?: string;
  readonly shortNames?: readonly string[];
  readonly isClusterWide?: boolean;
  readonly hasStatus?: boolean;
  readonly columns?: readonly Column[];
  readonly selectableFields?: readonly string[];
  readonly isConditional?: boolean;
  readonly hasGeneration?: boolean;
  readonly storage?: StorageView;
}

export function builtIn(kind: string, plural: string, schema: Schema, brief: Brief = {}): ResourceType {
  return {
    group: brief.group ?? '',
    version: 'v1',
    kind,
    listKind: `${kind}List`,
    plural,
    singular: kind.toLowerCase(),
    shortNames: brief.shortNames ?? [],
    categories: [],
    isNamespaced: brief.isClusterWide !== true,
    isCustom: false,
    hasGeneration: brief.hasGeneration ?? false,
    hasStatus: brief.hasStatus ?? false,
    schema: objectSchema(schema),
    columns: brief.columns ?? [age],
    selectableFields: brief.selectableFields ?? [],
    allowsUnconditionalUpdate: brief.isConditional !== true,
    ...(brief.storage === undefined ? {} : { storage: brief.storage }),
  };
}

export const column = (name: string, jsonPath: string): Column => ({ name, type: 'string', jsonPath });
