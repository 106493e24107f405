import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { LvsError } from '../base/index.ts';

/** Where the API server is and who we are to it. */
export interface Credentials {
  /** `https://host:port`, perhaps with a path. */
  readonly server: string;
  readonly tls: TlsMaterial;
  /** Sent with every request: Authorization, impersonation. */
  readonly headers: Readonly<Record<string, string>>;
}

/** PEM texts. What differs here needs new connections; a new token does not. */
export interface TlsMaterial {
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
  readonly serverName?: string;
  /** True only where a kubeconfig says `insecure-skip-tls-verify`. */
  readonly isUnverified: boolean;
}

/** Reads credentials anew each time: kubelet and people replace tokens and authorities under a running process. */
export interface CredentialSource {
  /**
   * @param isRefused the last ones were refused; whatever was remembered of them is worthless
   * @throws LvsError LVS_KUBE_CONFIG
   */
  read(isRefused: boolean): Promise<Credentials>;
}

export interface InClusterOptions {
  /** KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT. */
  readonly host: string;
  readonly port: string;
  /** @default /var/run/secrets/kubernetes.io/serviceaccount */
  readonly folder?: string;
}

/** The service account of the pod we run in: two small files, for which client-node would cost 90 MB of memory. */
export function inClusterCredentials(options: InClusterOptions): CredentialSource {
  const { host, port, folder = '/var/run/secrets/kubernetes.io/serviceaccount' } = options;
  const server = `https://${host.includes(':') ? `[${host}]` : host}:${port}`;
  return {
    async read() {
      const [token, ca] = await Promise.all([
        readCredentialFile(path.join(folder, 'token')),
        readCredentialFile(path.join(folder, 'ca.crt')),
      ]);
      return { server, tls: { ca, isUnverified: false }, headers: { authorization: `Bearer ${token}` } };
    },
  };
}

export async function readCredentialFile(file: string): Promise<string> {
  let text: string;
  try {
    text = (await readFile(file, 'utf8')).trim();
  } catch (cause) {
    throw new LvsError('LVS_KUBE_CONFIG', `${file} cannot be read.`, { cause, subject: file });
  }
  // Kubelet replaces by rename, but others truncate and write: half a rotation must not become an empty token.
  if (text === '') throw new LvsError('LVS_KUBE_CONFIG', `${file} is empty.`, { subject: file });
  return text;
}

export function isSameTls(a: TlsMaterial, b: TlsMaterial): boolean {
  return (
    a.ca === b.ca &&
    a.cert === b.cert &&
    a.key === b.key &&
    a.serverName === b.serverName &&
    a.isUnverified === b.isUnverified
  );
}
