import * as z from 'zod';
import { fields, integer, label, objectName } from './fields.ts';
import type { Immutable } from './immutable.ts';
import { isRecord } from './is-record.ts';

export const apiGroup = 'networking.lvs-operator.io';
export const apiVersion = 'networking.lvs-operator.io/v1alpha1';
/** Objects in files without a namespace get this one, as kubectl does it. */
export const defaultNamespace = 'default';

const maxMapEntries = 128;
const stringMap = z
  .record(z.string(), z.string({ error: () => 'must be text; put the value in quotes' }))
  .refine((map) => Object.keys(map).length <= maxMapEntries, `must have at most ${maxMapEntries} entries`);
/** Kept by Kubernetes for itself; it appears in files that were made with `kubectl get -o yaml`. */
const kept = z.unknown().optional();

const commonMetadata = {
  name: objectName('a name').describe('Name of the object, unique among its kind in the namespace.'),
  uid: z.string().max(128).optional(),
  generation: integer(0, Number.MAX_SAFE_INTEGER).optional(),
  /** RFC 3339. `null` is what `kubectl create --dry-run` prints. */
  creationTimestamp: z.string().max(64).nullish(),
  labels: stringMap.nullish(),
  annotations: stringMap.nullish(),
  resourceVersion: kept,
  deletionTimestamp: z.string().max(64).nullish(),
  deletionGracePeriodSeconds: kept,
  /** Read with patience: an object is not refused for what others wrote beside us. */
  ownerReferences: kept,
  finalizers: kept,
  managedFields: kept,
  selfLink: kept,
};

const generateNameHint = {
  generateName: 'cannot be used here: a file needs a fixed metadata.name',
};

export const namespacedMetadataSchema = fields(
  {
    ...commonMetadata,
    namespace: label('a namespace').default(defaultNamespace).describe('Namespace of the object.'),
  },
  generateNameHint,
);

export const clusterMetadataSchema = fields(commonMetadata, {
  ...generateNameHint,
  namespace: 'does not belong here: this kind is cluster-wide; remove it',
});

/** The part of Kubernetes' ObjectMeta that we read. */
export interface Metadata {
  readonly name: string;
  readonly uid?: string;
  readonly generation?: number;
  /** RFC 3339. */
  readonly creationTimestamp?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  /** RFC 3339; present while the object is being deleted and a finalizer holds it. */
  readonly deletionTimestamp?: string;
  /** The owner that is marked as the controller of this object. */
  readonly controller?: ControllerRef;
}

/** The `controller: true` entry of `ownerReferences`. */
export interface ControllerRef {
  readonly kind: string;
  readonly name: string;
  readonly uid: string;
}

export interface NamespacedMetadata extends Metadata {
  readonly namespace: string;
}

type ParsedMetadata = Immutable<z.output<typeof clusterMetadataSchema>>;

/** Keeps what we read and turns `null` into absent. */
export function selectMetadata(parsed: ParsedMetadata): Metadata {
  const { name, uid, generation, creationTimestamp, labels, annotations, deletionTimestamp } = parsed;
  const controller = controllerOf(parsed.ownerReferences);
  return {
    name,
    ...(uid === undefined ? {} : { uid }),
    ...(generation === undefined ? {} : { generation }),
    ...(creationTimestamp === undefined || creationTimestamp === null ? {} : { creationTimestamp }),
    ...(labels === undefined || labels === null ? {} : { labels }),
    ...(annotations === undefined || annotations === null ? {} : { annotations }),
    ...(deletionTimestamp === undefined || deletionTimestamp === null ? {} : { deletionTimestamp }),
    ...(controller === undefined ? {} : { controller }),
  };
}

function controllerOf(references: unknown): ControllerRef | undefined {
  if (!Array.isArray(references)) return undefined;
  for (const reference of references as readonly unknown[]) {
    if (!isRecord(reference) || reference['controller'] !== true) continue;
    const { kind, name, uid } = reference;
    if (typeof kind === 'string' && typeof name === 'string' && typeof uid === 'string') {
      return { kind, name, uid };
    }
  }
  return undefined;
}
