import { LvsError, tryParseIpAddress } from '../base/index.ts';
import type { Clock, IpAddress, Timers } from '../base/index.ts';
import {
  execInPod,
  inClusterCredentials,
  isKubeError,
  KubeClient,
  kubeconfigCredentials,
  openTransport,
  podExecPath,
} from '../kube/index.ts';
import type {
  ApiAnswer,
  CredentialSource,
  KubeTransport,
  PodCommand,
  PodCommandResult,
} from '../kube/index.ts';

export interface ConnectClusterOptions {
  /** Undefined: the service account of the pod that we run in. */
  readonly kubeconfig?: { readonly file: string; readonly context?: string } | undefined;
  /** KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT, which every pod has. */
  readonly service?: { readonly host: string; readonly port: string } | undefined;
  /** Where the service account is mounted. @default /var/run/secrets/kubernetes.io/serviceaccount */
  readonly serviceAccountFolder?: string;
  /** As the API server's audit log shows it. */
  readonly userAgent: string;
  readonly clock: Clock;
  readonly timers: Timers;
  /** 0 ≤ random() < 1 */
  readonly random: () => number;
  /** Hears of every request. */
  readonly onAnswer?: ((answer: ApiAnswer) => void) | undefined;
}

/** A conversation with one cluster, and the time that it lives by. */
export interface ClusterConnection {
  readonly client: KubeClient;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: () => number;
  /** The address that we call the API server by, when it is an address and not a name. */
  serverAddress(): Promise<IpAddress | undefined>;
  /** The Authorization header by which the API server knows us; undefined: by a client certificate. */
  authorization(): Promise<string | undefined>;
  /**
   * Runs a program in a pod, as `kubectl exec` does.
   * @throws KubeError, also with what the API server has against it
   */
  exec(command: PodCommand): Promise<PodCommandResult>;
  /** Ends every request, watch and connection. */
  close(): Promise<void>;
}

/**
 * Opens a conversation; nothing is sent before somebody asks. The API server may be away: that is for each request, and
 * for each watch, to live with.
 * @throws LvsError LVS_KUBE_CONFIG when there are no credentials to be had.
 */
export function connectCluster(options: ConnectClusterOptions): ClusterConnection {
  const { clock, timers, random, userAgent, onAnswer } = options;
  const credentials = findCredentials(options);
  const transport = openTransport({ credentials, clock, timers, userAgent, onAnswer });
  return {
    client: new KubeClient(transport),
    clock,
    timers,
    random,
    serverAddress: async () => {
      const { hostname } = new URL((await credentials.read(false)).server);
      return tryParseIpAddress(hostname.replace(/^\[(.*)\]$/, '$1'));
    },
    authorization: async () => (await credentials.read(false)).headers['authorization'],
    exec: async (command) => {
      let isOpen = false;
      try {
        return await execInPod(credentials, command, timers, () => (isOpen = true));
      } catch (error) {
        if (!isOpen) await askWhyNot(transport, command);
        throw error;
      }
    },
    close: () => transport.close(),
  };
}

/**
 * A WebSocket that was refused does not say why; the same request without one does, and runs nothing. Which of the two
 * verbs is missing depends on the version of the API server.
 * @throws KubeError
 */
async function askWhyNot(transport: KubeTransport, command: PodCommand): Promise<void> {
  const query = { container: command.container, command: command.command[0] ?? '', stdout: 'true' };
  for (const method of ['GET', 'POST'] as const) {
    try {
      await transport.request({ method, path: podExecPath(command), query });
    } catch (error) {
      if (isKubeError(error, 'LVS_KUBE_DENIED') || isKubeError(error, 'LVS_KUBE_NOT_FOUND')) throw error;
    }
  }
}

function findCredentials(options: ConnectClusterOptions): CredentialSource {
  const { kubeconfig, service, serviceAccountFolder } = options;
  if (kubeconfig !== undefined) return kubeconfigCredentials(kubeconfig);
  if (service === undefined || service.host === '' || service.port === '') {
    throw new LvsError(
      'LVS_KUBE_CONFIG',
      'This process runs in no pod, so there is no service account to use.',
      {
        hint: 'Name a kubeconfig with --kubeconfig, or run without a cluster by --manifests.',
      },
    );
  }
  return inClusterCredentials({
    ...service,
    ...(serviceAccountFolder === undefined ? {} : { folder: serviceAccountFolder }),
  });
}
