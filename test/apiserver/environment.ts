/**
 * The API servers that suites run on. A suite is written once, for an `Environment`; it runs on the server in the
 * process of the test always, and on a real one where there is one:
 *
 *   KUBEBUILDER_ASSETS  a folder with `etcd` and `kube-apiserver`, which are started for the test file
 *   KUBECONFIG          a cluster that is there already; everything happens in namespaces of its own
 *
 * Nothing but an API server is needed: pods, nodes and EndpointSlices are objects that suites write.
 */
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Agent } from 'undici';
import { KubeClient, kubeconfigCredentials, openTransport, systemTimers } from '../../src/kube/index.ts';
import type { CredentialSource, KubeTransport } from '../../src/kube/index.ts';
import { ask } from './client.ts';
import type { Connection } from './client.ts';
import { kubectlFor } from './kubectl.ts';
import type { Kubectl } from './kubectl.ts';
import { valueAt } from './objects.ts';
import { startRealServer } from './real-server.ts';
import type { RealServer } from './real-server.ts';
import { readDefinitions } from './resource-type.ts';
import { serviceAccountToken } from './service-account.ts';
import type { ServiceAccount } from './service-account.ts';
import { startApiServer } from './start-api-server.ts';
import type { ApiServer, ApiServerOptions } from './start-api-server.ts';

export type ServerKind = 'in-process' | 'kube-apiserver' | 'cluster';

/** What the tests may be told from outside. */
const { KUBEBUILDER_ASSETS: assets = '', KUBECONFIG: kubeconfig = '' } = process.env;

/** The servers there are; always the one in the process, and at most one real one. */
export function availableServers(): readonly ServerKind[] {
  if (assets !== '') return ['in-process', 'kube-apiserver'];
  return kubeconfig === '' ? ['in-process'] : ['in-process', 'cluster'];
}

const labels: Readonly<Record<ServerKind, string>> = {
  'in-process': 'the API server of this process',
  'kube-apiserver': 'a kube-apiserver of KUBEBUILDER_ASSETS',
  cluster: 'the cluster of KUBECONFIG',
};

/** Registers the suite once for every server there is; the output says on which it ran. */
export function onEveryServer(
  name: string,
  suite: (environment: Environment) => void,
  options: ApiServerOptions = {},
): void {
  for (const kind of availableServers()) {
    describe(`${name}, on ${labels[kind]}`, () => {
      const environment = new Environment(kind, options);
      before(() => environment.open());
      after(() => environment.close());
      suite(environment);
    });
  }
}

interface OpenParts {
  readonly connection: Connection;
  readonly kubeconfigFile: string;
  readonly credentials: CredentialSource;
  readonly inProcess: ApiServer | undefined;
  readonly real: RealServer | undefined;
}

/** One API server with our definitions and a namespace for the suite. Known before it is open: kind and namespace. */
export class Environment implements Connection {
  readonly kind: ServerKind;
  /** Part of every name that is not inside a namespace of the suite, since a cluster is others' too. */
  readonly prefix = `lvs-test-${randomBytes(3).toString('hex')}`;
  readonly namespace = this.prefix;
  readonly #options: ApiServerOptions;
  readonly #namespaces: string[] = [];
  readonly #closers: (() => Promise<void> | void)[] = [];
  #parts: OpenParts | undefined;

  constructor(kind: ServerKind, options: ApiServerOptions = {}) {
    this.kind = kind;
    this.#options = options;
  }

  get isReal(): boolean {
    return this.kind !== 'in-process';
  }

  /** Whether dependents and the content of namespaces are deleted, as kube-controller-manager does it. */
  get collectsGarbage(): boolean {
    if (this.kind === 'in-process') return this.#options.collectsGarbage !== false;
    return this.kind === 'cluster';
  }

  get url(): string {
    return this.#open.connection.url;
  }

  get dispatcher(): Connection['dispatcher'] {
    return this.#open.connection.dispatcher;
  }

  get headers(): Connection['headers'] {
    return this.#open.connection.headers;
  }

  /** Path of a kubeconfig of an administrator. */
  get kubeconfigFile(): string {
    return this.#open.kubeconfigFile;
  }

  get credentials(): CredentialSource {
    return this.#open.credentials;
  }

  /** The server of this process, with its faults; undefined: a real one. */
  get inProcess(): ApiServer | undefined {
    return this.#open.inProcess;
  }

  /** A name for an object outside namespaces. */
  clusterName(name: string): string {
    return `${this.prefix}-${name}`;
  }

  /** A connection of `src/kube`, as an administrator. */
  connect(): KubeClient {
    const transport: KubeTransport = openTransport({
      credentials: this.credentials,
      clock: { monotonicMs: () => performance.now(), wallMs: () => Date.now() },
      timers: systemTimers,
    });
    this.#closers.push(() => transport.close());
    return new KubeClient(transport);
  }

  /** Path of a kubeconfig of a ServiceAccount, which is made where it is missing. Not on a cluster of others. */
  async kubeconfigOf(account: ServiceAccount): Promise<string> {
    const token = await serviceAccountToken(this, account);
    const file = `${this.kubeconfigFile}-${account.name}-${randomBytes(3).toString('hex')}`;
    const { inProcess, real } = this.#open;
    const administrators = inProcess?.kubeconfig() ?? real?.kubeconfig;
    if (administrators === undefined) throw new Error('a cluster of others is left as it is');
    const users = [{ name: 'test', user: { token } }];
    const config = { ...(JSON.parse(administrators) as object), users };
    writeFileSync(file, JSON.stringify(config), { mode: 0o600 });
    return file;
  }

  kubectl(): Kubectl {
    const kubectl = kubectlFor({ kubeconfigFile: this.kubeconfigFile });
    this.#closers.push(() => kubectl[Symbol.dispose]());
    return kubectl;
  }

  /** Makes another namespace; it goes with the environment. */
  async openNamespace(suffix: string, labels: Readonly<Record<string, string>> = {}): Promise<string> {
    return this.#makeNamespace(`${this.prefix}-${suffix}`, labels);
  }

  async open(): Promise<void> {
    this.#parts = await this.#start();
    if (this.isReal) await this.#applyDefinitions();
    await this.#makeNamespace(this.namespace);
  }

  async close(): Promise<void> {
    if (this.#parts === undefined) return;
    if (this.kind === 'cluster') {
      for (const name of this.#namespaces) await ask(this, 'DELETE', `/api/v1/namespaces/${name}`);
    }
    for (const close of this.#closers.toReversed()) await close();
  }

  get #open(): OpenParts {
    if (this.#parts === undefined) throw new Error('the environment is not open yet');
    return this.#parts;
  }

  async #start(): Promise<OpenParts> {
    let inProcess: ApiServer | undefined;
    let real: RealServer | undefined;
    // The first file of the list, as kubectl would change it.
    let kubeconfigFile = kubeconfig.split(path.delimiter)[0] ?? '';
    if (this.kind !== 'cluster') {
      if (this.kind === 'in-process') inProcess = await startApiServer(this.#options);
      else real = await startRealServer(assets);
      const folder = mkdtempSync(path.join(tmpdir(), 'lvs-environment-'));
      kubeconfigFile = path.join(folder, 'kubeconfig');
      writeFileSync(kubeconfigFile, inProcess?.kubeconfig() ?? real?.kubeconfig ?? '', { mode: 0o600 });
      this.#closers.push(async () => {
        rmSync(folder, { recursive: true, force: true });
        await inProcess?.close();
        await real?.close();
      });
    }
    const credentials = kubeconfigCredentials({ file: kubeconfigFile });
    const { server, tls, headers } = await credentials.read(false);
    const { isUnverified, serverName, ...pem } = tls;
    const servername = serverName === undefined ? {} : { servername: serverName };
    const dispatcher = new Agent({ connect: { ...pem, ...servername, rejectUnauthorized: !isUnverified } });
    this.#closers.push(() => dispatcher.destroy());
    return {
      connection: { url: server, dispatcher, headers },
      kubeconfigFile,
      credentials,
      inProcess,
      real,
    };
  }

  async #makeNamespace(name: string, labels: Readonly<Record<string, string>> = {}): Promise<string> {
    const { status, body } = await ask(this, 'POST', '/api/v1/namespaces', { metadata: { name, labels } });
    if (status !== 201) throw new Error(`namespace ${name}: ${body.message}`);
    this.#namespaces.push(name);
    return name;
  }

  /** Our definitions, and the wait until the server offers their kinds. */
  async #applyDefinitions(): Promise<void> {
    for (const definition of this.#options.definitions ?? readDefinitions()) {
      const name = String(valueAt(definition, '.metadata.name'));
      const path = `/apis/apiextensions.k8s.io/v1/customresourcedefinitions/${name}`;
      const query = 'fieldManager=lvs-test&force=true&fieldValidation=Strict';
      const { status, body } = await ask(this, 'PATCH', `${path}?${query}`, definition, 'apply');
      if (status >= 300) throw new Error(`${name}: ${body.message}`);
      const group = String(valueAt(definition, '.spec.group'));
      const plural = String(valueAt(definition, '.spec.names.plural'));
      const version = String(valueAt(definition, '.spec.versions[0].name'));
      await until(`${name} is served`, async () => {
        return (await ask(this, 'GET', `/apis/${group}/${version}/${plural}?limit=1`)).status === 200;
      });
    }
  }
}

/** Waits in real time. */
export async function until(
  what: string,
  condition: () => Promise<boolean>,
  timeoutMs = 30_000,
): Promise<void> {
  const endMs = performance.now() + timeoutMs;
  while (!(await condition())) {
    if (performance.now() > endMs) throw new Error(`not so in ${timeoutMs} ms: ${what}`);
    await sleep(25);
  }
}
