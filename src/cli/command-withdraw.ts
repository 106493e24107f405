import { withdrawDirectors } from '../controller/index.ts';
import { clusterFlags, connectAsPerson } from './cluster-flags.ts';
import { UsageError, requireString } from './command.ts';
import type { Command, CommandInput, CommandIo } from './command.ts';
import { waitForStop } from './stop-signal.ts';

export const withdrawCommand: Command = {
  name: 'withdraw',
  summary: 'Make every director of a cluster remove what it holds, before they are uninstalled.',
  usage: 'withdraw [--namespace NS] [--daemonset NAME] [--timeout SECONDS] [--kubeconfig FILE]',
  description: `
A director that is stopped leaves its table, addresses and packet rules serving. This turns the DaemonSet of the directors
into one that runs "lvs-operator cleanup" on each of their nodes, and waits until every node has told that it is clean.
Connections through the directors are cut. The chart runs it before it is uninstalled; without Helm, run it yourself and
delete the DaemonSet then. To have the directors back instead, install the chart or the manifests again, as for an upgrade.

Needs the rights to list and patch that DaemonSet.`,
  flags: [
    {
      name: 'namespace',
      type: 'string',
      placeholder: 'NS',
      description: 'Namespace of the directors.',
      default: 'lvs-directors',
    },
    {
      name: 'daemonset',
      type: 'string',
      placeholder: 'NAME',
      description: 'Name of their DaemonSet.',
      default: 'lvs-director',
    },
    {
      name: 'timeout',
      type: 'string',
      placeholder: 'SECONDS',
      description: 'How long to wait for the nodes.',
      default: '300',
    },
    ...clusterFlags,
  ],
  takesArguments: false,
  run: runWithdraw,
};

async function runWithdraw(input: CommandInput, io: CommandIo): Promise<number> {
  const timeout = requireString(input, 'timeout');
  if (!/^[1-9]\d{0,4}$/.test(timeout))
    throw new UsageError(`--timeout must be a number of seconds, not "${timeout}"`);
  const namespace = requireString(input, 'namespace');
  const daemonSet = requireString(input, 'daemonset');
  const connection = connectAsPerson(input, io);
  const stop = new AbortController();
  void waitForStop().then(() => stop.abort());
  try {
    const isDone = await withdrawDirectors({
      connection,
      namespace,
      daemonSet,
      timeoutMs: Number(timeout) * 1000,
      signal: stop.signal,
      report: (line) => io.out(`${line}\n`),
    });
    if (isDone) return 0;
  } finally {
    await connection.close();
  }
  io.err(
    `Not every node is clean. Those that are not: kubectl -n ${namespace} get pods -o wide; their log says why. ` +
      'Run this again, or run "lvs-operator cleanup" on such a node.\n',
  );
  return 1;
}
