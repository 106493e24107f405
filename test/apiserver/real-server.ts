/** A real kube-apiserver with an etcd of its own, from a folder with both programs (the convention of envtest). */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Agent, fetch } from 'undici';
import { makeCertificate } from '../kube/certificates.ts';
import { kubeconfigOf } from './kubeconfig.ts';

export interface RealServer {
  /** Of an administrator. */
  readonly kubeconfig: string;
  close(): Promise<void>;
}

const readyWithinMs = 120_000;
const endWithinMs = 10_000;
/** Between finding a free port and using it, somebody else may have taken it. */
const attempts = 3;

/** @param assets folder with `etcd` and `kube-apiserver` */
export async function startRealServer(assets: string): Promise<RealServer> {
  for (let attempt = 1; ; attempt++) {
    const run = new Run(assets);
    try {
      return await run.start();
    } catch (error) {
      await run.close();
      if (attempt === attempts) throw error;
    }
  }
}

class Run implements RealServer {
  readonly #assets: string;
  readonly #folder = mkdtempSync(path.join(tmpdir(), 'lvs-apiserver-'));
  readonly #children = new Map<string, ChildProcess>();
  kubeconfig = '';

  constructor(assets: string) {
    this.#assets = assets;
    process.once('exit', (code) => this.#leave(code));
    // Whoever ends the test by a signal ends what it started: without this, `exit` would not happen.
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
      process.once(signal, () => process.exit(1));
  }

  async start(): Promise<RealServer> {
    const [clientPort, peerPort, port] = await freePorts(3);
    const etcdUrl = `http://127.0.0.1:${clientPort}`;
    const url = `https://127.0.0.1:${port}`;
    this.#spawn('etcd', etcdArguments(this.#folder, etcdUrl, `http://127.0.0.1:${peerPort}`));
    const token = randomBytes(16).toString('hex');
    const certificate = makeCertificate('kube-apiserver');
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const files = {
      certificate: this.#write('server.crt', certificate.cert),
      key: this.#write('server.key', certificate.key),
      tokens: this.#write('tokens.csv', `${token},kubernetes-admin,1,system:masters\n`),
      accountKey: this.#write('accounts.key', privateKey.export({ type: 'sec1', format: 'pem' }).toString()),
    };
    this.#spawn('kube-apiserver', serverArguments({ ...files, etcdUrl, port }));
    this.kubeconfig = kubeconfigOf(url, token, certificate.cert);
    await this.#whenReady(url, token, new Agent({ connect: { ca: certificate.cert } }));
    return this;
  }

  async close(): Promise<void> {
    // The API server first: it complains at length about an etcd that is gone.
    for (const name of ['kube-apiserver', 'etcd']) {
      const child = this.#children.get(name);
      if (child === undefined || hasEnded(child)) continue;
      const ended = once(child, 'exit');
      child.kill('SIGTERM');
      const isEnded = await Promise.race([ended.then(() => true), sleep(endWithinMs, false, { ref: false })]);
      if (!isEnded) child.kill('SIGKILL');
      await ended;
    }
  }

  async #whenReady(url: string, token: string, dispatcher: Agent): Promise<void> {
    const endMs = performance.now() + readyWithinMs;
    const headers = { authorization: `Bearer ${token}` };
    try {
      for (;;) {
        const answer = await fetch(`${url}/readyz`, { dispatcher, headers }).catch(() => undefined);
        if (answer?.ok === true) return;
        const dead = [...this.#children].find(([, child]) => hasEnded(child));
        if (dead !== undefined) throw new Error(`${dead[0]} ended at once:\n${this.#lastWords(dead[0])}`);
        if (performance.now() > endMs) {
          const words = this.#lastWords('kube-apiserver');
          throw new Error(`kube-apiserver is not ready after ${readyWithinMs / 1000} s:\n${words}`);
        }
        await sleep(100);
      }
    } finally {
      await dispatcher.close();
    }
  }

  #spawn(name: string, args: readonly string[]): void {
    const log = openSync(this.#log(name), 'w');
    const child = spawn(path.join(this.#assets, name), args, { stdio: ['ignore', log, log] });
    closeSync(log);
    child.on('error', (error) => writeFileSync(this.#log(name), `${error.message}\n`, { flag: 'a' }));
    this.#children.set(name, child);
  }

  #write(name: string, content: string): string {
    const file = path.join(this.#folder, name);
    writeFileSync(file, content, { mode: 0o600 });
    return file;
  }

  #log(name: string): string {
    return path.join(this.#folder, `${name}.log`);
  }

  #lastWords(name: string): string {
    return readFileSync(this.#log(name), 'utf8').trimEnd().split('\n').slice(-20).join('\n');
  }

  /** Nothing outlives the test; after a failure, the logs do. */
  #leave(code: number): void {
    for (const child of this.#children.values()) if (!hasEnded(child)) child.kill('SIGKILL');
    if (code === 0) rmSync(this.#folder, { recursive: true, force: true });
    else console.error(`logs of kube-apiserver and etcd: ${this.#folder}`);
  }
}

/** Also of a program that could not be started. */
function hasEnded(child: ChildProcess): boolean {
  return child.pid === undefined || child.exitCode !== null || child.signalCode !== null;
}

function etcdArguments(folder: string, clientUrl: string, peerUrl: string): string[] {
  return [
    '--name=test',
    `--data-dir=${path.join(folder, 'etcd')}`,
    `--listen-client-urls=${clientUrl}`,
    `--advertise-client-urls=${clientUrl}`,
    `--listen-peer-urls=${peerUrl}`,
    `--initial-advertise-peer-urls=${peerUrl}`,
    `--initial-cluster=test=${peerUrl}`,
    '--log-level=warn',
    '--unsafe-no-fsync',
  ];
}

function serverArguments(options: {
  readonly etcdUrl: string;
  readonly port: number;
  readonly certificate: string;
  readonly key: string;
  readonly tokens: string;
  readonly accountKey: string;
}): string[] {
  return [
    `--etcd-servers=${options.etcdUrl}`,
    '--bind-address=127.0.0.1',
    '--advertise-address=127.0.0.1',
    `--secure-port=${options.port}`,
    `--tls-cert-file=${options.certificate}`,
    `--tls-private-key-file=${options.key}`,
    `--token-auth-file=${options.tokens}`,
    '--authorization-mode=RBAC',
    '--service-account-issuer=https://kubernetes.default.svc',
    `--service-account-key-file=${options.accountKey}`,
    `--service-account-signing-key-file=${options.accountKey}`,
    '--service-cluster-ip-range=10.96.0.0/16,fd00:96::/108',
    // Nobody makes service accounts here, and without one no pod would be admitted.
    '--disable-admission-plugins=ServiceAccount',
  ];
}

/** Ports that nobody listens on, all at once so that they differ. */
async function freePorts(count: 3): Promise<[number, number, number]>;
async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer());
  const ports: number[] = [];
  for (const server of servers) {
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const address = server.address();
    if (address !== null && typeof address === 'object') ports.push(address.port);
  }
  await Promise.all(
    servers.map(async (server) => {
      server.close();
      await once(server, 'close');
    }),
  );
  return ports;
}
