import type { Logger } from '../base/index.ts';
import { Reflector, Store } from '../kube/index.ts';
import type {
  IndexFunction,
  KubeObject,
  ListOptions,
  ReadableStore,
  ReflectorCounters,
  ReflectorHealth,
  ResourceType,
} from '../kube/index.ts';
import type { ClusterConnection } from './connection.ts';

export interface WatchKindOptions<T, I extends string> extends ListOptions {
  readonly connection: Pick<ClusterConnection, 'client' | 'clock' | 'timers' | 'random'>;
  readonly type: ResourceType;
  /** Makes of an object what the store keeps: small records, since there may be many. */
  readonly parse: (object: KubeObject) => T;
  readonly indexes?: Readonly<Record<I, IndexFunction<T>>>;
  readonly logger: Logger;
  readonly onHealth?: (health: ReflectorHealth) => void;
  /** Before the first list: there is other evidence of objects, so that an empty list needs a second one. */
  readonly expectsEntries?: () => boolean;
}

/** The objects of one kind, followed. Listeners on the store hear of every change; `health` says how old it may be. */
export interface WatchedKind<T, I extends string = never> {
  readonly type: ResourceType;
  readonly store: ReadableStore<T, I>;
  readonly health: ReflectorHealth;
  readonly counters: ReflectorCounters;
  start(): void;
  /** Resolves when the store no longer changes. What it holds stays readable. */
  stop(): Promise<void>;
}

/** A store and the reflector that keeps it equal to the API server. Begins with `start`. */
export function watchKind<T, I extends string = never>(options: WatchKindOptions<T, I>): WatchedKind<T, I> {
  const { connection, type, parse, indexes, logger, onHealth, expectsEntries } = options;
  const { namespace, labelSelector, fieldSelector } = options;
  const { client, clock, timers, random } = connection;
  const store = new Store<T, I>({
    ...(indexes === undefined ? {} : { indexes }),
    onListenerError: (error) => logger.error('a listener failed', { kind: type.kind, error }),
  });
  const reflector = new Reflector<T, I>({
    client,
    type,
    parse,
    store,
    clock,
    timers,
    random,
    logger,
    namespace,
    labelSelector,
    fieldSelector,
    ...(onHealth === undefined ? {} : { onHealth }),
    ...(expectsEntries === undefined ? {} : { expectsEntries }),
  });
  return {
    type,
    store,
    get health() {
      return reflector.health;
    },
    get counters() {
      return reflector.counters;
    },
    start: () => reflector.start(),
    stop: () => reflector.stop(),
  };
}
