import { readDirectorStatus } from '../api/index.ts';
import type { Condition } from '../api/index.ts';
import type { Logger } from '../base/index.ts';
import { directorType, parserOf, watchKind } from '../cluster/index.ts';
import type { ClusterConnection, WatchedKind } from '../cluster/index.ts';
import { isEqualJson } from '../kube/index.ts';
import type { KubeObject, ReflectorHealth } from '../kube/index.ts';
import type { OwnDirector } from './desired-source.ts';

/** The Director of this node as the API server has it. A write of its status builds on its metadata. */
export interface StoredDirector {
  readonly metadata: KubeObject['metadata'];
  readonly status: unknown;
  readonly conditions: readonly Condition[];
  /** The same object as long as it says the same, however often the status is written. Undefined: it was never readable. */
  readonly own: OwnDirector | undefined;
}

export interface WatchOwnDirectorOptions {
  readonly connection: ClusterConnection;
  readonly nodeName: string;
  readonly logger: Logger;
  readonly onHealth: (health: ReflectorHealth) => void;
  /** There was an object, as far as an earlier process knew: its absence has to be said twice. */
  readonly wasThere: boolean;
}

/** The one Director of this node, not yet followed. */
export function watchOwnDirector(options: WatchOwnDirectorOptions): WatchedKind<StoredDirector> {
  const { connection, nodeName, logger, onHealth, wasThere } = options;
  let toldOf: unknown = 'nothing';
  const tell = (generation: unknown, error: unknown): void => {
    if (generation === toldOf) return;
    toldOf = generation;
    logger.warn('the spec of the own Director cannot be read, what it said before stands', { error });
  };
  const kind: WatchedKind<StoredDirector> = watchKind<StoredDirector>({
    connection,
    type: directorType,
    fieldSelector: `metadata.name=${nodeName}`,
    parse: (object) => {
      const { metadata, status } = object;
      const known = kind.store.get(nodeName)?.own;
      const own = readOwn(object, known, tell);
      return {
        metadata,
        status,
        conditions: readDirectorStatus({ status: fieldsOf(status) }).conditions,
        own: isEqualJson(known, own) && known !== undefined ? known : own,
      };
    },
    logger,
    onHealth,
    expectsEntries: () => wasThere,
  });
  return kind;
}

const parse = parserOf('Director');

/**
 * A spec that cannot be read is one of a later version: what it said before stands. The object must not be malformed as a
 * whole, since its status is to be written all the same.
 */
function readOwn(
  object: KubeObject,
  known: OwnDirector | undefined,
  tell: (generation: unknown, error: unknown) => void,
): OwnDirector | undefined {
  const { generation } = object.metadata;
  try {
    const { maintenance } = parse({ ...object, status: undefined }).spec;
    return { generation: typeof generation === 'number' ? generation : undefined, maintenance };
  } catch (error) {
    tell(generation, error);
    return known;
  }
}

function fieldsOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>) : {};
}
