/** A reflector of widgets on a scripted server, under a clock that the test moves. */
import type { TestContext } from 'node:test';
import { KubeClient, openTransport, Reflector, Store, systemTimers } from '../../src/kube/index.ts';
import type { KubeObject } from '../../src/kube/index.ts';
import { FakeTime } from './fake-time.ts';
import { RecordingLogger, widgetType } from './objects.ts';
import { startScriptedServer } from './scripted-server.ts';
import type { Script, ScriptedReply, ScriptedRequest, ScriptedServer } from './scripted-server.ts';

export interface ParsedWidget {
  readonly name: string;
  readonly size: number;
}

export interface ReflectorRig {
  readonly server: ScriptedServer;
  readonly time: FakeTime;
  readonly store: Store<ParsedWidget, 'size'>;
  readonly reflector: Reflector<ParsedWidget, 'size'>;
  readonly logger: RecordingLogger;
  /** Every change that a listener heard of, as `added default/a`. */
  readonly changes: string[];
  /** Names of the objects that were parsed, in order. */
  readonly parsed: string[];
  /** Exceptions of listeners. */
  readonly listenerErrors: unknown[];
  readonly lists: readonly ScriptedRequest[];
  readonly watches: readonly ScriptedRequest[];
  /** The names and sizes in the store, sorted. */
  contents(): string[];
}

/** What list number so much, from 0, is answered; and the same for watches. */
export interface ReflectorScript {
  readonly list: (reply: ScriptedReply, number: number, request: ScriptedRequest) => void;
  readonly watch: (reply: ScriptedReply, number: number, request: ScriptedRequest) => void;
}

export async function startReflector(
  t: TestContext,
  script: ReflectorScript,
  options: { readonly pageSize?: number; readonly expectsEntries?: () => boolean } = {},
): Promise<ReflectorRig> {
  const lists: ScriptedRequest[] = [];
  const watches: ScriptedRequest[] = [];
  const answer: Script = (request, reply) => {
    if (request.query.get('watch') === 'true') script.watch(reply, watches.push(request) - 1, request);
    else script.list(reply, lists.push(request) - 1, request);
  };
  const server = await startScriptedServer(answer);
  const time = new FakeTime();
  const logger = new RecordingLogger();
  const transport = openTransport({
    credentials: { read: async () => ({ server: server.url, tls: { isUnverified: false }, headers: {} }) },
    clock: time,
    timers: systemTimers,
  });
  const listenerErrors: unknown[] = [];
  const store = new Store<ParsedWidget, 'size'>({
    indexes: { size: (found) => [String(found.size)] },
    onListenerError: (error) => listenerErrors.push(error),
  });
  const changes: string[] = [];
  const parsed: string[] = [];
  store.subscribe((change) => {
    if (change.kind === 'listed') changes.push(`listed ${change.resourceVersion}`);
    else if (change.kind === 'removed' && change.isByAbsence)
      changes.push(`removed ${change.key} by absence`);
    else changes.push(`${change.kind} ${change.key}`);
  });
  const reflector = new Reflector({
    client: new KubeClient(transport),
    type: widgetType,
    parse: (object) => {
      parsed.push(object.metadata.name);
      return parseWidget(object);
    },
    store,
    clock: time,
    timers: time,
    random: () => 0.5,
    logger,
    ...options,
  });
  t.after(async () => {
    await reflector.stop();
    await transport.close();
    await server.close();
  });
  reflector.start();
  const contents = (): string[] => [...store.values()].map(({ name, size }) => `${name}=${size}`).toSorted();
  return {
    server,
    time,
    store,
    reflector,
    logger,
    changes,
    parsed,
    listenerErrors,
    lists,
    watches,
    contents,
  };
}

function parseWidget(object: KubeObject): ParsedWidget {
  const spec = object['spec'];
  const size = typeof spec === 'object' && spec !== null && 'size' in spec ? spec.size : undefined;
  if (typeof size !== 'number') throw new Error(`size is ${JSON.stringify(size)}`);
  return { name: object.metadata.name, size };
}
