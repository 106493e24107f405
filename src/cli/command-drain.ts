import { drainAnnotation, nodeType, realServerType } from '../cluster/index.ts';
import type { ObjectName, ResourceType } from '../kube/index.ts';
import { UsageError } from './command.ts';
import type { Command, CommandInput, CommandIo } from './command.ts';
import { clusterFlags, connectAsPerson } from './cluster-flags.ts';

/** What is written where, and what to tell whoever asked for it. */
interface DrainTask {
  readonly type: ResourceType;
  readonly name: ObjectName;
  readonly patch: unknown;
  readonly told: string;
}

const fieldManager = 'lvs-operator-drain';
const subjects = '(realserver | node) NAME';

export const drainCommand: Command = {
  name: 'drain',
  summary: 'Take a real server, or all of a node, out of service without loss.',
  usage: `drain ${subjects} [--namespace NS] [--reason TEXT] [--kubeconfig FILE]`,
  description: `
Asks the operator to give no new connections to real servers; those that they have go on until they end, or until the
drain of their VirtualService is over. It writes one field and returns at once; "lvs-operator undrain" takes it back.

  realserver NAME  sets spec.state of a RealServer to Drained. It survives every restart.
  node NAME        sets the annotation ${drainAnnotation} of a Node: the pods on it drain,
                   behind every VirtualService. The node is not cordoned: pods may still be started there.

Needs the right to patch that object. Without a cluster, write "state: Drained" into the manifest.`,
  flags: drainFlags(),
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
      description: 'Why, for other people; it stands in the annotation of the Node.',
    },
    ...clusterFlags,
  ];
}

async function perform(input: CommandInput, io: CommandIo, isDrain: boolean): Promise<number> {
  const { type, name, patch, told } = drainTask(input, isDrain);
  const connection = connectAsPerson(input, io);
  try {
    await connection.client.mergePatch(type, name, patch, { fieldManager });
  } finally {
    await connection.close();
  }
  io.out(`${told}\n`);
  return 0;
}

/** @throws UsageError */
function drainTask({ positionals, strings }: CommandInput, isDrain: boolean): DrainTask {
  const [kind = '', name = '', ...rest] = positionals;
  if (name === '' || rest.length > 0) throw new UsageError(`say what: ${subjects}`);
  const { reason = '', namespace = 'default' } = strings;
  switch (kind.toLowerCase()) {
    case 'realserver':
    case 'lvsrs':
      if (reason !== '') throw new UsageError('--reason belongs to a node; a RealServer has no field for it');
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
    default:
      throw new UsageError(`"${kind}" cannot be drained; say what: ${subjects}`);
  }
}
