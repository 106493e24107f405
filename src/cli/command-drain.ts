import { LvsError, isLvsError } from '../base/index.ts';
import { directorType, drainAnnotation, nodeType, realServerType } from '../cluster/index.ts';
import type { ObjectName, ResourceType } from '../kube/index.ts';
import { awaitDrained } from './await-drained.ts';
import { UsageError } from './command.ts';
import type { Command, CommandInput, CommandIo } from './command.ts';
import { clusterFlags, connectAsPerson } from './cluster-flags.ts';
import { waitForStop } from './stop-signal.ts';

/** What is written where, and what to tell whoever asked for it. */
interface DrainTask {
  readonly type: ResourceType;
  readonly name: ObjectName;
  readonly patch: unknown;
  readonly told: string;
}

const fieldManager = 'lvs-operator-drain';
const subjects = '(realserver | node | director) NAME';

export const drainCommand: Command = {
  name: 'drain',
  summary: 'Take a real server, all of a node, or a director out of service without loss.',
  usage: `drain ${subjects} [--namespace NS] [--reason TEXT] [--wait] [--kubeconfig FILE]`,
  description: `
Asks the operator to give no new connections to real servers; those that they have go on until they end, or until the
drain of their VirtualService is over. It writes one field and returns at once; "lvs-operator undrain" takes it back.

  realserver NAME  sets spec.state of a RealServer to Drained. It survives every restart.
  node NAME        sets the annotation ${drainAnnotation} of a Node: the pods on it drain,
                   behind every VirtualService. The node is not cordoned: pods may still be started there.
  director NAME    sets spec.maintenance of a Director: that node takes no new clients, and keeps what is open without
                   a deadline. Routers that ask its /readyz get 503 and send clients elsewhere. Where nobody does, or
                   there is no other director, new clients are refused.

Needs the right to patch that object. Without a cluster, write "state: Drained" into the manifest; there is no Director
then, so a director cannot be drained as a whole.`,
  flags: [
    ...drainFlags(),
    {
      name: 'wait',
      type: 'boolean',
      description:
        'Of a director: return when it has no connection left, and tell how many there are meanwhile.',
    },
  ],
  takesArguments: true,
  run: (input, io) => perform(input, io, true),
};

export const undrainCommand: Command = {
  name: 'undrain',
  summary: 'Put back into service what "drain" has taken out.',
  usage: `undrain ${subjects} [--namespace NS] [--kubeconfig FILE]`,
  description: `
Takes back what "lvs-operator drain" wrote: real servers get new connections again, and those that still had old ones keep
them.`,
  flags: drainFlags().filter(({ name }) => name !== 'reason'),
  takesArguments: true,
  run: (input, io) => perform(input, io, false),
};

function drainFlags(): Command['flags'] {
  return [
    {
      name: 'namespace',
      type: 'string',
      placeholder: 'NS',
      description: 'Namespace of the RealServer.',
      default: 'default',
    },
    {
      name: 'reason',
      type: 'string',
      placeholder: 'TEXT',
      description: 'Why, for other people; it stands in the annotation of the Node, or in the Director.',
    },
    ...clusterFlags,
  ];
}

async function perform(input: CommandInput, io: CommandIo, isDrain: boolean): Promise<number> {
  const task = drainTask(input, isDrain);
  const isAwaited = input.booleans['wait'] === true;
  if (isAwaited && task.type !== directorType) throw new UsageError('--wait belongs to a director');
  try {
    const connection = connectAsPerson(input, io);
    try {
      const { type, name, patch, told } = task;
      const { metadata } = await connection.client.mergePatch(type, name, patch, { fieldManager });
      io.out(`${told}\n`);
      if (!isAwaited) return 0;
      const stop = new AbortController();
      void waitForStop().then(() => stop.abort());
      const generation = Number(metadata['generation']);
      return await awaitDrained({ connection, name: name.name, generation, io, signal: stop.signal });
    } finally {
      await connection.close();
    }
  } catch (error) {
    throw explain(error, task);
  }
}

/** Where there is no cluster, there is no Director. */
function explain(error: unknown, { type }: DrainTask): unknown {
  if (type !== directorType || !isLvsError(error, 'LVS_KUBE_CONFIG')) return error;
  return new LvsError('LVS_KUBE_CONFIG', error.message, {
    cause: error,
    hint:
      `${error.hint ?? ''} A director is drained by its Director object, which only a cluster has; one that runs from ` +
      'manifests drains real server by real server ("state: Drained").',
  });
}

/** @throws UsageError */
function drainTask({ positionals, strings }: CommandInput, isDrain: boolean): DrainTask {
  const [kind = '', name = '', ...rest] = positionals;
  if (name === '' || rest.length > 0) throw new UsageError(`say what: ${subjects}`);
  const { reason = '', namespace = 'default' } = strings;
  switch (kind.toLowerCase()) {
    case 'realserver':
    case 'lvsrs':
      if (reason !== '')
        throw new UsageError('--reason belongs to a node or a director; a RealServer has no field for it');
      return {
        type: realServerType,
        name: { namespace, name },
        patch: { spec: { state: isDrain ? 'Drained' : 'Enabled' } },
        told: `RealServer ${namespace}/${name} ${isDrain ? 'drains: it gets no new connections' : 'is enabled'}.`,
      };
    case 'node':
      return {
        type: nodeType,
        name: { name },
        patch: { metadata: { annotations: { [drainAnnotation]: isDrain ? reason : null } } },
        told: isDrain
          ? `Node ${name} drains: real servers on it get no new connections.`
          : `Node ${name} drains no more.`,
      };
    case 'director':
    case 'lvsdir':
      return {
        type: directorType,
        name: { name },
        patch: {
          spec: { maintenance: isDrain ? { drain: true, reason: reason === '' ? null : reason } : null },
        },
        told: isDrain
          ? `Director ${name} drains: that node takes no new clients.`
          : `Director ${name} is back: that node takes new clients.`,
      };
    default:
      throw new UsageError(`"${kind}" cannot be drained; say what: ${subjects}`);
  }
}
