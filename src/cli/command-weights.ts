import { existsSync } from 'node:fs';
import { followsLoad, refuseDynamicWeights } from '../api/index.ts';
import { formatErrorForPeople } from '../base/index.ts';
import type { ClusterConnection } from '../cluster/index.ts';
import { defaultLeaseName } from '../controller/index.ts';
import type { WeightsExplanation } from '../controller/index.ts';
import { clusterFlags, connectAsPerson } from './cluster-flags.ts';
import { UsageError, requireString } from './command.ts';
import type { Command, CommandInput, CommandIo } from './command.ts';
import { askControlSocket, controlSocketFile } from './control-socket.ts';
import { foldText } from './fold-text.ts';
import { formatExplanation, formatFromStatuses, formatStatic } from './format-weights.ts';
import type { WeightsAnswer, WeightsQuestion } from './weights-question.ts';
import { findLeader, readWeightsSubject } from './weights-subject.ts';

/** Of the chart's controller, where the program in the container finds it. */
const usualFolder = '/run/lvs-operator';
/** The container of the chart's Deployment. */
const container = 'controller';
const patienceMs = 15_000;

export const weightsCommand: Command = {
  name: 'weights',
  summary: 'Explain the weights behind a VirtualService: what was measured, and each step to them.',
  usage: 'weights explain NAME [ADDRESS...] [--namespace NS] [--json] [--kubeconfig FILE]',
  description: `
Prints for each real server, or for those of the addresses, the metrics with their age and window, the connections that
all directors count, each step of the computation, and its base, advised and effective weight with the reason.

The controller that leads is the one that knows. It is found by its Lease, and this program is run in its pod, as by
"kubectl exec"; that needs the rights to get the Lease and to create and get pods/exec there. Whoever lacks them, or has
no Lease, is shown what the statuses of the RealServers hold. In the pod of the leader it needs no right at all:

  kubectl -n lvs-system exec POD -- lvs-operator weights explain NAME --namespace NS

Where weights are as they are written it says so. Changes nothing.`,
  flags: [
    {
      name: 'namespace',
      short: 'n',
      type: 'string',
      placeholder: 'NS',
      description: 'Namespace of the VirtualService.',
      default: 'default',
    },
    {
      name: 'json',
      type: 'boolean',
      description: 'Print what the controller says as JSON; fails where it cannot be asked.',
    },
    {
      name: 'controller-namespace',
      type: 'string',
      placeholder: 'NS',
      description: 'Namespace of the controllers and of their Lease.',
      default: 'lvs-system',
    },
    {
      name: 'lease-name',
      type: 'string',
      placeholder: 'NAME',
      description: 'Name of the Lease.',
      default: defaultLeaseName,
    },
    {
      name: 'control-dir',
      type: 'string',
      placeholder: 'DIR',
      description: `Ask the controller of this folder and nobody else. Default: ${usualFolder}, else the leader.`,
    },
    ...clusterFlags,
  ],
  takesArguments: true,
  run: runWeightsCommand,
};

interface Question {
  readonly namespace: string;
  readonly name: string;
  /** Empty: all. */
  readonly addresses: readonly string[];
  readonly isJson: boolean;
}

async function runWeightsCommand(input: CommandInput, io: CommandIo): Promise<number> {
  const question = readQuestion(input);
  const asked = input.strings['control-dir'];
  const nearby = await askNearby(asked ?? usualFolder, question);
  if (nearby.kind === 'explained') return print(nearby.explanation, question, io);
  if (asked !== undefined) {
    io.err(`lvs-operator weights: ${nearby.why}.\n`);
    return 1;
  }
  const connection = connectAsPerson(input, io);
  try {
    return await explainFromCluster(connection, question, input, io);
  } finally {
    await connection.close();
  }
}

/** @throws UsageError */
function readQuestion({ positionals, strings, booleans }: CommandInput): Question {
  const [verb, name, ...addresses] = positionals;
  if (verb !== 'explain' || name === undefined)
    throw new UsageError('say which VirtualService: weights explain NAME');
  return { namespace: strings['namespace'] ?? 'default', name, addresses, isJson: booleans['json'] === true };
}

type Nearby =
  | { readonly kind: 'explained'; readonly explanation: WeightsExplanation }
  | { readonly kind: 'unknown'; readonly why: string };

/** The controller whose control socket is in a folder of this machine, or of this container. */
async function askNearby(folder: string, { namespace, name }: Question): Promise<Nearby> {
  const file = controlSocketFile(folder);
  if (!existsSync(file)) return { kind: 'unknown', why: `nobody answers: there is no ${file}` };
  const key = `${namespace}/${name}`;
  const question: WeightsQuestion = { weights: key };
  let answer: WeightsAnswer | { readonly problem: string };
  try {
    answer = JSON.parse(await askControlSocket(file, JSON.stringify(question))) as typeof answer;
  } catch (error) {
    const reason = error instanceof Error && 'code' in error ? String(error.code) : String(error);
    return { kind: 'unknown', why: `no answer at ${file} (${reason})` };
  }
  if ('problem' in answer)
    return { kind: 'unknown', why: `the process at ${file} is no controller of this version` };
  if (answer.explanation !== undefined) return { kind: 'explained', explanation: answer.explanation };
  const why = answer.isLeading
    ? `the controller computes no weights for ${key}: it is not there, or they are as written`
    : 'the controller here does not lead, and knows no weights';
  return { kind: 'unknown', why };
}

async function explainFromCluster(
  connection: ClusterConnection,
  question: Question,
  input: CommandInput,
  io: CommandIo,
): Promise<number> {
  const { namespace, name } = question;
  const { virtualService, realServers } = await readWeightsSubject(connection.client, { namespace, name });
  const { spec } = virtualService;
  if (!question.isJson && (!followsLoad(spec) || refuseDynamicWeights(spec.scheduler) !== undefined)) {
    io.out(formatStatic(virtualService, realServers));
    return 0;
  }
  const answer = await askLeader(connection, question, input);
  if (answer.text !== undefined) {
    io.out(answer.text);
    return 0;
  }
  if (question.isJson) {
    io.err(`lvs-operator weights: ${foldText(answer.why)}\n`);
    return 1;
  }
  io.out(formatFromStatuses(virtualService, realServers, question.addresses));
  io.out(`\n${foldText(`The inputs and steps are missing here: ${answer.why}`)}\n`);
  if (answer.command !== undefined) io.out(`To see them, have somebody run:\n  ${answer.command}\n`);
  return 0;
}

type LeaderAnswer =
  { readonly text: string } | { readonly text?: undefined; readonly why: string; readonly command?: string };

/** Never rejects: what cannot be asked is a reason. */
async function askLeader(
  connection: ClusterConnection,
  question: Question,
  input: CommandInput,
): Promise<LeaderAnswer> {
  const namespace = requireString(input, 'controller-namespace');
  const leader = await findLeader(connection.client, { namespace, name: requireString(input, 'lease-name') });
  if (leader.pod === undefined) return { why: leader.why };
  const { pod } = leader;
  const words = ['lvs-operator', 'weights', 'explain', question.name, ...question.addresses];
  const command = [...words, '--namespace', question.namespace];
  const hint = `kubectl -n ${namespace} exec ${pod} -- ${command.join(' ')}`;
  try {
    const { stdout, stderr, exitCode, message } = await connection.exec({
      namespace,
      pod,
      container,
      command: [...command, '--control-dir', usualFolder, ...(question.isJson ? ['--json'] : [])],
      timeoutMs: patienceMs,
    });
    if (exitCode === 0) return { text: stdout };
    return { why: `in the pod ${pod}: ${(stderr.trim() || message).replace(/^lvs-operator weights: /, '')}` };
  } catch (error) {
    return {
      why: `the pod ${pod}, which leads, cannot be asked. ${formatErrorForPeople(error)}`,
      command: hint,
    };
  }
}

function print(explanation: WeightsExplanation, { addresses, isJson }: Question, io: CommandIo): number {
  const servers = explanation.servers.filter(({ address }) => isAsked(address, addresses));
  const part = { ...explanation, servers };
  io.out(isJson ? `${JSON.stringify(part, undefined, 2)}\n` : formatExplanation(part));
  return 0;
}

function isAsked(address: string, addresses: readonly string[]): boolean {
  return addresses.length === 0 || addresses.includes(address);
}
