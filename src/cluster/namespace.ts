import type { KubeObject } from '../kube/index.ts';
import { textMapOf } from './read-fields.ts';

export interface NamespaceRecord {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  /** It is being deleted, and takes no new objects. */
  readonly isTerminating: boolean;
}

export function parseNamespace({ metadata }: KubeObject): NamespaceRecord {
  return {
    name: metadata.name,
    labels: textMapOf(metadata['labels']),
    isTerminating: typeof metadata['deletionTimestamp'] === 'string',
  };
}
