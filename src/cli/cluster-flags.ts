import { existsSync } from 'node:fs';
import path from 'node:path';
import { connectCluster } from '../cluster/index.ts';
import type { ClusterConnection } from '../cluster/index.ts';
import { systemTimers } from '../kube/index.ts';
import { UsageError } from './command.ts';
import type { CommandInput, CommandIo, Flag } from './command.ts';
import { systemClock } from './system-clock.ts';
import { version } from './version.ts';

/** Of commands that a person runs against a cluster, who has a kubeconfig rather than a service account. */
export const clusterFlags: readonly Flag[] = [
  {
    name: 'kubeconfig',
    type: 'string',
    placeholder: 'FILE',
    description:
      'How to reach the API server. Default: KUBECONFIG, or else .kube/config of the home directory.',
  },
  {
    name: 'context',
    type: 'string',
    placeholder: 'NAME',
    description: "Context of the kubeconfig. Default: the file's current one.",
  },
];

/**
 * @throws UsageError when KUBECONFIG names several files.
 * @throws LvsError LVS_KUBE_CONFIG when there are no credentials to be had.
 */
export function connectAsPerson(input: CommandInput, { env }: Pick<CommandIo, 'env'>): ClusterConnection {
  const file = input.strings['kubeconfig'] ?? defaultKubeconfig(env);
  const { context } = input.strings;
  const { KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: port } = env;
  return connectCluster({
    ...(file === undefined ? {} : { kubeconfig: { file, ...(context === undefined ? {} : { context }) } }),
    ...(host === undefined || port === undefined ? {} : { service: { host, port } }),
    userAgent: `lvs-operator/${version}`,
    clock: systemClock,
    timers: systemTimers,
    random: Math.random,
  });
}

function defaultKubeconfig({
  KUBECONFIG: named = '',
  HOME: home = '',
}: CommandIo['env']): string | undefined {
  const files = named.split(path.delimiter).filter((file) => file !== '');
  if (files.length > 1) throw new UsageError('KUBECONFIG names several files; choose one with --kubeconfig');
  const [file = path.join(home, '.kube', 'config')] = files;
  return files.length === 1 || existsSync(file) ? file : undefined;
}
