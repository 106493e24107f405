import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, it } from 'node:test';
import type { TestContext } from 'node:test';
import { isLvsError } from '../../src/base/index.ts';
import { inClusterCredentials, kubeconfigCredentials } from '../../src/kube/index.ts';

async function folderOf(t: TestContext, files: Readonly<Record<string, string>>): Promise<string> {
  const folder = await mkdtemp(path.join(tmpdir(), 'lvs-kube-'));
  t.after(() => rm(folder, { recursive: true }));
  for (const [name, text] of Object.entries(files)) await writeFile(path.join(folder, name), text);
  return folder;
}

function kubeconfig(cluster: object, user: object, context = 'main'): string {
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'c', cluster: { server: 'https://192.0.2.1:6443/', ...cluster } }],
    users: [{ name: 'u', user }],
    contexts: [
      { name: 'main', context: { cluster: 'c', user: 'u' } },
      { name: 'torn', context: { cluster: 'nowhere', user: 'u' } },
    ],
    'current-context': context,
  });
}

const isConfigError = (error: unknown): boolean => isLvsError(error, 'LVS_KUBE_CONFIG');

describe('credentials in a cluster', () => {
  it('are the token and the authority of the service account, read anew each time', async (t) => {
    const folder = await folderOf(t, { token: 'one\n', 'ca.crt': 'PEM\n' });
    const source = inClusterCredentials({ host: '10.96.0.1', port: '443', folder });
    assert.deepEqual(await source.read(false), {
      server: 'https://10.96.0.1:443',
      tls: { ca: 'PEM', isUnverified: false },
      headers: { authorization: 'Bearer one' },
    });
    await writeFile(path.join(folder, 'token'), 'two');
    assert.equal((await source.read(false)).headers['authorization'], 'Bearer two');
  });

  it('put an IPv6 address into brackets', async (t) => {
    const folder = await folderOf(t, { token: 'one', 'ca.crt': 'PEM' });
    const source = inClusterCredentials({ host: 'fd00::1', port: '443', folder });
    assert.equal((await source.read(false)).server, 'https://[fd00::1]:443');
  });

  for (const [scenario, files] of [
    ['a missing token', { 'ca.crt': 'PEM' }],
    ['an empty token', { token: '\n', 'ca.crt': 'PEM' }],
    ['a missing authority', { token: 'one' }],
  ] as const) {
    it(`refuse ${scenario}`, async (t) => {
      const folder = await folderOf(t, files);
      await assert.rejects(
        inClusterCredentials({ host: 'x', port: '443', folder }).read(false),
        isConfigError,
      );
    });
  }
});

describe('credentials from a kubeconfig', () => {
  it('with everything inside', async (t) => {
    const data = (text: string): string => Buffer.from(text).toString('base64');
    const text = kubeconfig(
      { 'certificate-authority-data': data('CA'), 'tls-server-name': 'api' },
      { 'client-certificate-data': data('CERT'), 'client-key-data': data('KEY'), token: 'secret' },
    );
    const file = path.join(await folderOf(t, { config: text }), 'config');
    assert.deepEqual(await kubeconfigCredentials({ file }).read(false), {
      server: 'https://192.0.2.1:6443',
      tls: { ca: 'CA', cert: 'CERT', key: 'KEY', serverName: 'api', isUnverified: false },
      headers: { authorization: 'Bearer secret' },
    });
  });

  it('with files beside it, which may be replaced', async (t) => {
    const text = kubeconfig(
      { 'certificate-authority': 'ca.crt' },
      { 'client-certificate': 'me.crt', 'client-key': 'me.key' },
    );
    const folder = await folderOf(t, { config: text, 'ca.crt': 'CA 1', 'me.crt': 'CERT', 'me.key': 'KEY' });
    const source = kubeconfigCredentials({ file: path.join(folder, 'config') });
    assert.deepEqual((await source.read(false)).tls, {
      ca: 'CA 1',
      cert: 'CERT',
      key: 'KEY',
      isUnverified: false,
    });
    await writeFile(path.join(folder, 'ca.crt'), 'CA 2');
    assert.equal((await source.read(false)).tls.ca, 'CA 2');
  });

  it('follow an edit of the file itself', async (t) => {
    const folder = await folderOf(t, { config: kubeconfig({}, { token: 'one' }) });
    const file = path.join(folder, 'config');
    const source = kubeconfigCredentials({ file });
    assert.equal((await source.read(false)).headers['authorization'], 'Bearer one');
    await writeFile(file, kubeconfig({ server: 'https://192.0.2.2' }, { token: 'two' }));
    const { server, headers } = await source.read(false);
    assert.deepEqual([server, headers['authorization']], ['https://192.0.2.2', 'Bearer two']);
  });

  it('run a plugin, remember its answer, and ask it again when that was refused', async (t) => {
    const folder = await folderOf(t, { config: '' });
    const script = [
      "const fs = require('node:fs');",
      `const file = ${JSON.stringify(path.join(folder, 'count'))};`,
      "const count = fs.existsSync(file) ? Number(fs.readFileSync(file, 'utf8')) + 1 : 1;",
      'fs.writeFileSync(file, String(count));',
      "const status = { token: 'answer ' + count };",
      "console.log(JSON.stringify({ apiVersion: 'client.authentication.k8s.io/v1', kind: 'ExecCredential', status }));",
    ].join('\n');
    await writeFile(path.join(folder, 'plugin.cjs'), script);
    const exec = {
      apiVersion: 'client.authentication.k8s.io/v1',
      command: process.execPath,
      args: [path.join(folder, 'plugin.cjs')],
      interactiveMode: 'Never',
    };
    const file = path.join(folder, 'config');
    await writeFile(file, kubeconfig({}, { exec }));
    const source = kubeconfigCredentials({ file });
    const tokens: unknown[] = [];
    for (const isRefused of [false, false, true, false])
      tokens.push((await source.read(isRefused)).headers['authorization']);
    assert.deepEqual(tokens, ['Bearer answer 1', 'Bearer answer 1', 'Bearer answer 2', 'Bearer answer 2']);
  });

  it('take plain http and an unverified server only when told so', async (t) => {
    const folder = await folderOf(t, {
      http: kubeconfig({ server: 'http://127.0.0.1:8001' }, {}),
      unverified: kubeconfig({ 'insecure-skip-tls-verify': true }, {}),
    });
    const http = await kubeconfigCredentials({ file: path.join(folder, 'http') }).read(false);
    assert.deepEqual([http.server, http.headers], ['http://127.0.0.1:8001', {}]);
    const unverified = await kubeconfigCredentials({ file: path.join(folder, 'unverified') }).read(false);
    assert.equal(unverified.tls.isUnverified, true);
  });

  const refused: [scenario: string, text: string, context: string | undefined, message: RegExp][] = [
    ['a file that is no kubeconfig', '{"clusters": [{}]}', undefined, /kubeconfig/],
    ['an empty file', '', undefined, /is empty/],
    ['a context that is not there', kubeconfig({}, {}), 'other', /no context "other"/],
    ['a context without its cluster', kubeconfig({}, {}, 'torn'), undefined, /names no cluster/],
    [
      'a proxy',
      kubeconfig({ 'proxy-url': 'http://proxy:3128' }, {}),
      undefined,
      /proxy-url is not supported/,
    ],
    [
      'an authority that is missing',
      kubeconfig({ 'certificate-authority': 'gone.crt' }, {}),
      undefined,
      /gone\.crt/,
    ],
  ];
  for (const [scenario, text, context, message] of refused) {
    it(`refuse ${scenario}`, async (t) => {
      const file = path.join(await folderOf(t, { config: text }), 'config');
      const source = kubeconfigCredentials({ file, ...(context === undefined ? {} : { context }) });
      await assert.rejects(source.read(false), (error: unknown) => {
        assert.ok(isConfigError(error), String(error));
        assert.match(error instanceof Error ? error.message : '', message);
        return true;
      });
    });
  }
});
