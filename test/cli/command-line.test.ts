import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, it } from 'node:test';
import { temporaryFolder } from '../manifests/temporary-folder.ts';
import { productFile, runProduct } from './run-product.ts';

const commands = [
  'director',
  'controller',
  'plan',
  'validate',
  'status',
  'weights',
  'log-level',
  'drain',
  'undrain',
  'cleanup',
  'withdraw',
];
const repository = path.resolve(import.meta.dirname, '../..');

describe('the command line', { concurrency: 2 }, () => {
  for (const flag of ['--help', '-h', 'help']) {
    it(`${flag} lists every command`, async () => {
      const { code, stdout, stderr } = await runProduct([flag]);
      assert.deepEqual([code, stderr], [0, '']);
      assert.match(stdout, /^Usage: lvs-operator COMMAND \[FLAGS\]$/m);
      const listed = [...stdout.matchAll(/^ {2}([\w-]+) {2,}[A-Z].*\.$/gm)].map(([, name]) => name);
      assert.deepEqual(listed, commands);
    });
  }

  it('an old Node.js is told so in one sentence', async () => {
    const pretend = 'Object.defineProperty(process.versions, "node", { value: "20.20.2" })';
    const { code, stdout, stderr } = await runProduct(['--version'], {
      env: { NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(pretend)}` },
    });
    assert.deepEqual([code, stdout], [1, '']);
    assert.match(stderr, /^lvs-operator needs Node\.js 24\.11 or newer; this is 20\.20\.2\. .*\n$/);
  });

  it('nothing at all shows the same and fails', async () => {
    const { code, stdout } = await runProduct([]);
    assert.equal(code, 2);
    assert.match(stdout, /^Commands:$/m);
  });

  for (const command of commands) {
    it(`${command} --help explains the command and each of its flags`, async () => {
      const [asFlag, asTopic] = [await runProduct([command, '--help']), await runProduct(['help', command])];
      assert.deepEqual(asFlag, asTopic);
      const { code, stdout, stderr } = asFlag;
      assert.deepEqual([code, stderr], [0, '']);
      assert.match(stdout, new RegExp(`^Usage: lvs-operator ${command} \\S`));
      const flags = stdout.slice(stdout.indexOf('\nFlags:\n'));
      const usage = stdout.slice(0, stdout.indexOf('\n'));
      for (const named of usage.matchAll(/--[a-z][a-z-]+/g)) {
        assert.match(flags, new RegExp(`^ {2}${named[0]}\\b.* {2}\\S.*\\.$`, 'm'), named[0]);
      }
      for (const line of stdout.split('\n')) assert.ok(line.length <= 140, line);
    });
  }

  it('the version is that of the package', async () => {
    const { version } = JSON.parse(readFileSync(path.join(repository, 'package.json'), 'utf8')) as {
      version: string;
    };
    for (const words of [['--version'], ['version']]) {
      const expected = { code: 0, stdout: `lvs-operator ${version}\n`, stderr: '' };
      assert.deepEqual(await runProduct(words), expected);
    }
  });

  const manifests = path.join(repository, 'examples');
  const mistakes: [scenario: string, args: readonly string[], stderr: string][] = [
    ['an unknown command', ['serve'], 'lvs-operator: there is no command "serve". See: lvs-operator --help'],
    [
      'help for one',
      ['help', 'serve'],
      'lvs-operator: there is no command "serve". See: lvs-operator --help',
    ],
    [
      'a flag before the command',
      ['--quiet'],
      'lvs-operator: there is no command "--quiet". See: lvs-operator --help',
    ],
    [
      'an unknown flag',
      ['validate', '--strict', manifests],
      "lvs-operator validate: Unknown option '--strict'. See: lvs-operator validate --help",
    ],
    [
      'a switch with a value',
      ['validate', '--quiet=yes', manifests],
      "lvs-operator validate: Option '--quiet' does not take an argument. See: lvs-operator validate --help",
    ],
    [
      'a flag without its value',
      ['director', '--manifests'],
      "lvs-operator director: Option '--manifests <value>' argument missing. See: lvs-operator director --help",
    ],
    [
      'a flag that is required',
      ['director'],
      'lvs-operator director: name exactly one of --manifests (a folder) and --node-name (a cluster). See: lvs-operator director --help',
    ],
    [
      'a flag that is empty',
      ['plan', '--manifests', ''],
      'lvs-operator plan: name exactly one of --manifests (a folder) and --node-name (a cluster). See: lvs-operator plan --help',
    ],
    [
      'two sources of the goal',
      ['director', '--manifests', manifests, '--node-name', 'n1'],
      'lvs-operator director: name exactly one of --manifests (a folder) and --node-name (a cluster). See: lvs-operator director --help',
    ],
    [
      'a kubeconfig without a cluster',
      ['plan', '--manifests', manifests, '--kubeconfig', 'config'],
      'lvs-operator plan: --kubeconfig needs --node-name; --manifests uses no cluster. See: lvs-operator plan --help',
    ],
    [
      'a state directory that is empty',
      ['status', '--state-dir='],
      'lvs-operator status: --state-dir is required. See: lvs-operator status --help',
    ],
    [
      'an argument where none is taken',
      ['cleanup', 'everything'],
      'lvs-operator cleanup: Unexpected argument "everything". See: lvs-operator cleanup --help',
    ],
    [
      'a word that is not one of the choices',
      ['director', '--manifests', manifests, '--on-stop', 'flush'],
      'lvs-operator director: --on-stop must be one of keep, withdraw, not "flush". See: lvs-operator director --help',
    ],
    [
      'an unknown log level',
      ['director', '--manifests', manifests, '--log-level', 'loud'],
      'lvs-operator director: --log-level must be one of debug, info, warn, error, not "loud". See: lvs-operator director --help',
    ],
    [
      'nothing to validate',
      ['validate'],
      'lvs-operator validate: name at least one file or folder. See: lvs-operator validate --help',
    ],
  ];
  for (const [scenario, args, expected] of mistakes) {
    it(`${scenario} is one line and status 2`, async () => {
      assert.deepEqual(await runProduct(args), { code: 2, stdout: '', stderr: `${expected}\n` });
    });
  }

  it('a cluster without credentials is one line and status 1', async () => {
    const args = ['director', '--node-name', 'n1'];
    const missing = await runProduct([...args, '--kubeconfig', '/nowhere/config']);
    assert.equal(missing.code, 1);
    assert.equal(
      missing.stderr,
      'lvs-operator director: The kubeconfig /nowhere/config cannot be read. [LVS_KUBE_CONFIG]\n',
    );
    const noPod = await runProduct(args, {
      env: { KUBERNETES_SERVICE_HOST: '', KUBERNETES_SERVICE_PORT: '' },
    });
    assert.equal(noPod.code, 1);
    assert.match(noPod.stderr, /runs in no pod.*--kubeconfig.*\[LVS_KUBE_CONFIG\]\n$/);
  });

  it('a configuration that does not hold is named with its place', async () => {
    using folder = temporaryFolder({
      'good.yaml': 'apiVersion: v1\n',
      'bad.yaml': 'netfilter: Off\nnonsense: 1\n',
    });
    for (const file of ['missing.yaml', 'bad.yaml']) {
      const config = path.join(folder.path, file);
      const { code, stdout, stderr } = await runProduct(['validate', '--config', config, manifests]);
      assert.deepEqual([code, stdout], [1, '']);
      assert.ok(stderr.startsWith(`lvs-operator validate: ${config}:`), stderr);
      assert.match(stderr, / \[LVS_CONFIG_INVALID\]\n$/);
    }
  });

  it('a reader that closes the pipe is no failure', async () => {
    const child = spawn(process.execPath, [await productFile(), 'validate', manifests], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    child.stdout.destroy();
    let stderr = '';
    child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
    const [code] = (await once(child, 'close')) as [number | null];
    assert.deepEqual([code, stderr], [0, '']);
  });
});
