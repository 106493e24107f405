import { LvsError, formatErrorForPeople } from '../base/index.ts';
import type { ClusterConnection } from '../cluster/index.ts';
import { pause } from '../kube/index.ts';
import type { KubeObject, ResourceType } from '../kube/index.ts';

export const daemonSetType: ResourceType = {
  group: 'apps',
  version: 'v1',
  plural: 'daemonsets',
  kind: 'DaemonSet',
  isNamespaced: true,
};

export interface WithdrawOptions {
  readonly connection: Pick<ClusterConnection, 'client' | 'clock' | 'timers'>;
  readonly namespace: string;
  readonly daemonSet: string;
  readonly timeoutMs: number;
  /** Ends the waiting; what was begun goes on. */
  readonly signal: AbortSignal;
  /** One line per news, for people. */
  readonly report: (line: string) => void;
}

type Fields = Readonly<Record<string, unknown>>;

const pollMs = 1000;

/**
 * Makes every director of a DaemonSet remove what it holds in its kernel, before the DaemonSet goes: a director that is
 * merely stopped leaves everything serving, and nobody would be there afterwards to take it away.
 *
 * The DaemonSet itself does it: its pods are replaced by ones that run `cleanup` where the director ran, with the same
 * rights and folders, and are ready when that has ended well. It undoes nothing by itself:
 * the manifests of the DaemonSet, applied again, do. (`kubectl rollout undo` would leave it replacing all pods at once.)
 * @returns whether every node has told so in time; true where there is no such DaemonSet
 * @throws LvsError LVS_KUBE_REFUSED when the DaemonSet runs no director, and whatever the API server refuses
 */
export async function withdrawDirectors(options: WithdrawOptions): Promise<boolean> {
  const { connection, namespace, daemonSet: name, report, signal } = options;
  const { clock, timers } = connection;
  const endMs = clock.monotonicMs() + options.timeoutMs;
  const found = await findDaemonSet(options);
  if (found === undefined) {
    report(`There is no DaemonSet ${namespace}/${name}: no director to withdraw.`);
    return true;
  }
  const { generation } = (isWithdrawn(found) ? found : await change(options, found)).metadata;
  let last = '';
  const tell = (line: string): void => {
    if (line !== last) report(line);
    last = line;
  };
  while (!signal.aborted) {
    try {
      const now = await findDaemonSet(options);
      if (now === undefined) return true;
      const { isDone, line } = progressOf(now, Number(generation));
      tell(line);
      if (isDone) return true;
    } catch (error) {
      // The pods go on without us being told.
      tell(formatErrorForPeople(error));
    }
    if (clock.monotonicMs() >= endMs) return false;
    await pause(timers, pollMs, signal);
  }
  return false;
}

function change({ connection, namespace, daemonSet: name }: WithdrawOptions, found: KubeObject) {
  return connection.client.mergePatch(daemonSetType, { namespace, name }, withdrawalPatch(found), {
    fieldManager: 'lvs-operator-withdraw',
  });
}

/** Somebody has begun already, and may have lost patience. */
function isWithdrawn(daemonSet: KubeObject): boolean {
  return containersOf(daemonSet).some(
    (container) => argsOf(container).slice(0, 2).join(' ') === 'cleanup --stay',
  );
}

async function findDaemonSet({
  connection,
  namespace,
  daemonSet: name,
}: WithdrawOptions): Promise<KubeObject | undefined> {
  const { items } = await connection.client.listPage(
    daemonSetType,
    { namespace, fieldSelector: `metadata.name=${name}` },
    {},
  );
  return (items as readonly KubeObject[])[0];
}

/**
 * The change that turns directors into cleaners: a merge patch, so lists in it are whole. Pure.
 * @throws LvsError LVS_KUBE_REFUSED
 */
export function withdrawalPatch(daemonSet: KubeObject): Fields {
  const director = containersOf(daemonSet).find((container) => argsOf(container)[0] === 'director');
  if (director === undefined) {
    const { namespace = '', name } = daemonSet.metadata;
    const what = `No container of DaemonSet ${namespace}/${name} runs a director.`;
    throw new LvsError('LVS_KUBE_REFUSED', what, { subject: `${namespace}/${name}` });
  }
  const { startupProbe: _a, livenessProbe: _b, readinessProbe: _c, ports: _d, ...kept } = director;
  const folders = argsOf(director).filter((arg) => /^--(?:state-dir|config)=/.test(arg));
  return {
    spec: {
      minReadySeconds: 0,
      // Nobody is served meanwhile anyway: all at once.
      updateStrategy: { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: '100%', maxSurge: 0 } },
      template: {
        spec: {
          initContainers: [{ ...kept, name: 'cleanup', args: ['cleanup', ...folders] }],
          // Finds nothing to do any more, and stays so that the pod is one that runs.
          containers: [{ ...kept, args: ['cleanup', '--stay', ...folders] }],
        },
      },
    },
  };
}

/** How far the DaemonSet is with its newest template. Pure. */
export function progressOf(
  daemonSet: KubeObject,
  generation: number,
): { readonly isDone: boolean; readonly line: string } {
  const status = fieldsOf(daemonSet['status']);
  const count = (field: string): number => {
    const value = status[field];
    return typeof value === 'number' ? value : 0;
  };
  const isSeen = count('observedGeneration') >= generation;
  const nodes = count('desiredNumberScheduled');
  const clean = isSeen ? Math.min(count('updatedNumberScheduled'), count('numberReady')) : 0;
  const line = isSeen ? `${clean} of ${nodes} nodes are clean.` : 'Waiting for the directors to be replaced.';
  return { isDone: isSeen && clean >= nodes, line };
}

function containersOf(daemonSet: KubeObject): readonly Fields[] {
  const pod = fieldsOf(fieldsOf(fieldsOf(daemonSet['spec'])['template'])['spec']);
  return listOf(pod['containers']).map(fieldsOf);
}

function argsOf(container: Fields): readonly string[] {
  return listOf(container['args']).map(String);
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? (value as readonly unknown[]) : [];
}

function fieldsOf(value: unknown): Fields {
  return typeof value === 'object' && value !== null ? (value as Fields) : {};
}
