import assert from 'node:assert/strict';
import path from 'node:path';
import { describe, it } from 'node:test';
import { temporaryFolder } from '../manifests/temporary-folder.ts';
import { runProduct } from './run-product.ts';

const repository = path.resolve(import.meta.dirname, '../..');
const apiVersion = 'apiVersion: networking.lvs-operator.io/v1alpha1\n';

const pool = `${apiVersion}kind: AddressPool
metadata:
  name: public
spec:
  addresses:
    - 192.0.2.0/24
  namespaces: [default]
  default: true
  realServerCIDRs:
    - 198.51.100.0/24
`;

function virtualService(name: string, lines = ''): string {
  return `${apiVersion}kind: VirtualService
metadata:
  name: ${name}
spec:
${lines}  ports:
    - port: 80
`;
}

function realServer(name: string, service: string, lines = '  addresses: [198.51.100.11]\n'): string {
  return `${apiVersion}kind: RealServer
metadata:
  name: ${name}
spec:
  virtualServiceRef:
    name: ${service}
${lines}`;
}

describe('validate', { concurrency: 2 }, () => {
  it('accepts every example, together', async () => {
    const { code, stdout, stderr } = await runProduct(['validate', 'examples'], { cwd: repository });
    assert.deepEqual([code, stderr], [0, '']);
    const lines = stdout.trimEnd().split('\n');
    assert.match(lines.pop() ?? '', /^\d\d object\(s\) in \d\d file\(s\), no errors$/);
    for (const line of lines) assert.match(line, /^examples\/[\w-]+\.yaml:\d+:\d+: warning: VirtualService /);
  });

  const good: [scenario: string, files: Record<string, string>, summary: string][] = [
    [
      'a pool, a service and its server in one file',
      { 'all.yaml': [pool, virtualService('web'), realServer('web', 'web')].join('---\n') },
      '3 object(s) in 1 file(s), no errors',
    ],
    [
      'files and folders of one set',
      {
        'pools/public.yaml': pool,
        'web.yml': virtualService('web'),
        'servers/web.yaml': realServer('web', 'web'),
      },
      '3 object(s) in 3 file(s), no errors',
    ],
  ];
  for (const [scenario, files, summary] of good) {
    it(`accepts ${scenario}`, async () => {
      using folder = temporaryFolder(files);
      const expected = { code: 0, stdout: `${summary}\n`, stderr: '' };
      assert.deepEqual(await runProduct(['validate', folder.path]), expected);
      assert.deepEqual(await runProduct(['validate', '--quiet', '.'], { cwd: folder.path }), {
        ...expected,
        stdout: '',
      });
    });
  }

  /** Every line that is printed, with the folder's own path left out. */
  const bad: [scenario: string, files: Record<string, string>, lines: readonly string[]][] = [
    [
      'an unknown scheduler, with the word that was meant',
      { 'a.yaml': virtualService('web', '  scheduler: wlcc\n') + '---\n' + pool },
      [
        'a.yaml:6:3: spec.scheduler must be one of rr, wrr, lc, wlc, fo, ovf, lblc, lblcr, dh, sh, mh, sed, nq, not "wlcc"; did you mean "wlc"?',
        '1 object(s) in 1 file(s), 1 error(s)',
      ],
    ],
    [
      'mistakes in two documents of a file, each at its own line',
      {
        'a.yaml': [
          pool,
          realServer('a', 'web', '  addresses: [198.51.100.11]\n  weight: 2000\n'),
          realServer('b', 'missing'),
        ].join('---\n'),
      },
      [
        'a.yaml:21:3: spec.weight must be a whole number from 0 to 1000, not 2000',
        'a.yaml:29:5: RealServer default/b: There is no VirtualService missing in namespace default; make it, or correct the name.',
        '2 object(s) in 1 file(s), 2 error(s)',
      ],
    ],
    [
      'a tab',
      { 'a.yaml': 'a:\n\t- b\n' },
      [
        'a.yaml:2:1: a tab is used as indentation; YAML allows only spaces there',
        '0 object(s) in 1 file(s), 1 error(s)',
      ],
    ],
    [
      'a key that is written twice',
      { 'a.yaml': `${apiVersion}kind: VirtualService\nmetadata:\n  name: a\n  name: b\n` },
      [
        'a.yaml:5:3: the key name is written twice in one mapping; keep one of them',
        '0 object(s) in 1 file(s), 1 error(s)',
      ],
    ],
    [
      'an object of somebody else',
      { 'pod.yaml': 'kind: Pod\napiVersion: v1\nmetadata: {name: x}\n' },
      [
        'pod.yaml:2:1: apiVersion "v1" with kind "Pod" is not one of ours; move it to another folder',
        '0 object(s) in 1 file(s), 1 error(s)',
      ],
    ],
    [
      'an empty file, and still the good one beside it',
      { 'empty.yaml': '', 'pool.yaml': pool },
      [
        'empty.yaml:1:1: the file is empty; delete it to remove its objects',
        '1 object(s) in 2 file(s), 1 error(s)',
      ],
    ],
  ];
  for (const [scenario, files, lines] of bad) {
    it(`names ${scenario}`, async () => {
      using folder = temporaryFolder(files);
      const { code, stdout, stderr } = await runProduct(['validate', folder.path]);
      assert.deepEqual([code, stderr], [1, '']);
      assert.deepEqual(stdout.replaceAll(`${folder.path}/`, '').trimEnd().split('\n'), lines);
    });
  }

  it('never takes an empty folder for a set of manifests', async () => {
    using folder = temporaryFolder();
    const { code, stdout, stderr } = await runProduct(['validate', folder.path]);
    assert.deepEqual([code, stdout], [1, '']);
    assert.match(
      stderr,
      /^lvs-operator validate: The manifest folder .* holds no .*\[LVS_MANIFEST_FOLDER\]\n$/,
    );
  });

  it('says which path does not exist', async () => {
    using folder = temporaryFolder();
    const file = path.join(folder.path, 'missing.yaml');
    const { code, stdout } = await runProduct(['validate', '--quiet', file]);
    assert.deepEqual([code, stdout], [1, `${file}:1:1: does not exist (or is a link to nowhere)\n`]);
  });
});
