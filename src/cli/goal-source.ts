import { accessSync, constants } from 'node:fs';
import { LvsError } from '../base/index.ts';
import { UsageError } from './command.ts';
import type { CommandInput, CommandIo, Flag } from './command.ts';

/** Where a director's goal comes from. */
export type GoalSource =
  | { readonly kind: 'manifests'; readonly folder: string }
  | {
      readonly kind: 'cluster';
      readonly nodeName: string;
      readonly credentials: {
        readonly kubeconfig?: { readonly file: string };
        readonly service?: { readonly host: string; readonly port: string };
      };
    };

export const goalFlags: readonly Flag[] = [
  {
    name: 'manifests',
    type: 'string',
    placeholder: 'DIR',
    description: 'Folder of YAML or JSON manifests, read with its sub-folders.',
  },
  {
    name: 'node-name',
    type: 'string',
    placeholder: 'NAME',
    description: 'Serve the objects of a cluster, as the director of this Node.',
  },
  {
    name: 'kubeconfig',
    type: 'string',
    placeholder: 'FILE',
    description: 'Credentials for the cluster. Default: the service account of the pod.',
  },
];

/**
 * @throws UsageError unless exactly one source is named.
 * @throws LvsError LVS_KUBE_CONFIG when the kubeconfig cannot be read: a wrong name would only show as silence later.
 */
export function readGoalSource(input: CommandInput, io: Pick<CommandIo, 'env'>): GoalSource {
  const { manifests = '', 'node-name': nodeName = '', kubeconfig = '' } = input.strings;
  if ((manifests === '') === (nodeName === '')) {
    throw new UsageError('name exactly one of --manifests (a folder) and --node-name (a cluster)');
  }
  if (manifests !== '') {
    if (kubeconfig !== '')
      throw new UsageError('--kubeconfig needs --node-name; --manifests uses no cluster');
    return { kind: 'manifests', folder: manifests };
  }
  if (kubeconfig !== '') {
    assertReadable(kubeconfig);
    return { kind: 'cluster', nodeName, credentials: { kubeconfig: { file: kubeconfig } } };
  }
  const { KUBERNETES_SERVICE_HOST: host = '', KUBERNETES_SERVICE_PORT: port = '' } = io.env;
  return { kind: 'cluster', nodeName, credentials: { service: { host, port } } };
}

function assertReadable(file: string): void {
  try {
    accessSync(file, constants.R_OK);
  } catch (cause) {
    throw new LvsError('LVS_KUBE_CONFIG', `The kubeconfig ${file} cannot be read.`, { cause, subject: file });
  }
}
