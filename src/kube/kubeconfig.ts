import path from 'node:path';
import type { KubeConfig } from '@kubernetes/client-node';
import { LvsError } from '../base/index.ts';
import { readCredentialFile } from './credentials.ts';
import type { CredentialSource, Credentials } from './credentials.ts';

export interface KubeconfigOptions {
  readonly file: string;
  /** @default the file's current-context */
  readonly context?: string;
}

/**
 * Credentials from a kubeconfig, with everything that client-node understands: files, exec plugins, OIDC. The file and
 * what it names are read again at every reading; what a plugin answered is kept until it expires or is refused.
 */
export function kubeconfigCredentials(options: KubeconfigOptions): CredentialSource {
  let last: { text: string; config: KubeConfig } | undefined;
  return {
    async read(isRefused) {
      const text = await readCredentialFile(options.file);
      if (isRefused || last?.text !== text) last = { text, config: await parseKubeconfig(text, options) };
      try {
        return await credentialsOf(last.config, options);
      } catch (cause) {
        if (cause instanceof LvsError) throw cause;
        throw configError(options, cause instanceof Error ? cause.message : String(cause), cause);
      }
    },
  };
}

async function parseKubeconfig(text: string, options: KubeconfigOptions): Promise<KubeConfig> {
  // client-node costs memory and time at the moment of its import: only who has a kubeconfig pays.
  const clientNode = await import('./client-node.ts');
  const config = new clientNode.KubeConfig();
  try {
    config.loadFromString(text);
  } catch (cause) {
    throw configError(options, cause instanceof Error ? cause.message : String(cause), cause);
  }
  config.makePathsAbsolute(path.dirname(path.resolve(options.file)));
  if (options.context !== undefined) {
    if (config.getContextObject(options.context) === null) {
      throw configError(options, `it has no context "${options.context}"`);
    }
    config.setCurrentContext(options.context);
  }
  // client-node refuses plain http unless told not to verify, which then has nothing to verify.
  config.clusters = config.clusters.map((cluster) =>
    cluster.server.startsWith('http://') ? { ...cluster, skipTLSVerify: true } : cluster,
  );
  return config;
}

async function credentialsOf(config: KubeConfig, options: KubeconfigOptions): Promise<Credentials> {
  const cluster = config.getCurrentCluster();
  if (cluster === null) throw configError(options, 'its current context names no cluster');
  if (cluster.proxyUrl !== undefined) throw configError(options, 'proxy-url is not supported');
  const found: Parameters<KubeConfig['applyToHTTPSOptions']>[0] = { headers: {} };
  await config.applyToHTTPSOptions(found);
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(found.headers ?? {})) {
    if (typeof value === 'string') headers[name.toLowerCase()] = value.trim();
  }
  if (typeof found.auth === 'string')
    headers['authorization'] = `Basic ${Buffer.from(found.auth).toString('base64')}`;
  return {
    server: cluster.server.replace(/\/+$/, ''),
    headers,
    tls: {
      ...pem('ca', found.ca),
      ...pem('cert', found.cert),
      ...pem('key', found.key),
      ...(cluster.tlsServerName === undefined ? {} : { serverName: cluster.tlsServerName }),
      isUnverified: found.rejectUnauthorized === false,
    },
  };
}

function pem(name: 'ca' | 'cert' | 'key', value: unknown): Partial<Record<typeof name, string>> {
  if (typeof value === 'string') return { [name]: value };
  return value instanceof Uint8Array ? { [name]: Buffer.from(value).toString('utf8') } : {};
}

function configError(options: KubeconfigOptions, what: string, cause?: unknown): LvsError {
  return new LvsError('LVS_KUBE_CONFIG', `kubeconfig ${options.file}: ${what}.`, {
    cause,
    subject: options.file,
  });
}
