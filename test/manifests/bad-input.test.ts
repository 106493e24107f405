import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { formatManifestProblem, readManifestPaths } from '../../src/manifests/index.ts';
import { serviceYaml, temporaryFolder } from './temporary-folder.ts';

const head = 'apiVersion: networking.lvs-operator.io/v1alpha1\n';
const web = serviceYaml('web');

/** Eight levels of nine aliases each: 43 million values from 300 bytes. */
const multiplyingAliases = ['a: &a [x,x,x,x,x,x,x,x,x]']
  .concat(
    ['b', 'c', 'd', 'e', 'f', 'g', 'h'].map(
      (key, at) => `${key}: &${key} [${nineTimes(`*${'abcdefg'[at]}`)}]`,
    ),
  )
  .join('\n');

function nineTimes(text: string): string {
  return Array.from({ length: 9 }, () => text).join(',');
}

const badItem = serviceYaml('a', 'x')
  .trimEnd()
  .replace(/^/gm, '    ')
  .replace('    apiVersion', '  - apiVersion');
const listWithBadItem = `apiVersion: v1\nkind: List\nitems:\n${badItem}\n`;

const textBlock = 'name: b\n  annotations:\n    note: |\n      a\n      --- b\n      ---';
const withDashesInText = serviceYaml('b').replace('name: b', textBlock);

/** Reads one folder and gives what a person would read, without the folder's own name. */
function problemsOf(files: Readonly<Record<string, string | Uint8Array>>): readonly string[] {
  using folder = temporaryFolder(files);
  const { problems } = readManifestPaths([folder.path]);
  return problems.map((problem) => formatManifestProblem(problem).replaceAll(`${folder.path}/`, ''));
}

const encode = (text: string) => new TextEncoder().encode(text);

describe('every mistake comes with file, line and what to do', () => {
  const table: readonly [
    what: string,
    files: Readonly<Record<string, string | Uint8Array>>,
    ...problems: string[],
  ][] = [
    // Kinds that only a cluster has
    [
      'a Director',
      { 'a.yaml': `${head}kind: Director\nmetadata:\n  name: node-a\n` },
      'a.yaml:2:1: Director node-a: kind Director belongs to a cluster, where the operator writes it; remove it from the file',
    ],
    [
      'a RealServerSlice',
      {
        'a.yaml': `${head}kind: RealServerSlice\nmetadata:\n  name: a\nspec:\n  virtualServiceName: a\n  realServerName: a\n`,
      },
      'a.yaml:2:1: RealServerSlice default/a: kind RealServerSlice belongs to a cluster, where the operator writes it; ' +
        'remove it from the file',
    ],
    // The file
    ['an empty file', { 'a.yaml': '' }, 'a.yaml:1:1: the file is empty; delete it to remove its objects'],
    [
      'blank lines',
      { 'a.yaml': '\n\n  \n' },
      'a.yaml:1:1: the file is empty; delete it to remove its objects',
    ],
    [
      'bad UTF-8',
      { 'a.yaml': Buffer.concat([encode('a: 1\nb: ü'), Uint8Array.of(0xff, 0x0a)]) },
      'a.yaml:2:6: not valid UTF-8; save the file as UTF-8',
    ],
    [
      'a character that is cut off',
      { 'a.yaml': Buffer.concat([encode('a: '), Uint8Array.of(0xc3)]) },
      'a.yaml:1:5: not valid UTF-8; save the file as UTF-8',
    ],
    ['a zero byte', { 'a.yaml': 'a: 1\nb: \0' }, 'a.yaml:2:4: holds a zero byte: this is not a text file'],
    [
      'UTF-16',
      { 'a.yaml': Buffer.from('\ufeffa: 1', 'utf16le') },
      'a.yaml:1:1: not valid UTF-8; save the file as UTF-8',
    ],
    [
      'more than 4 MiB',
      { 'a.yaml': '#'.repeat(4 * 1024 * 1024 + 1) },
      'a.yaml:1:1: larger than 4 MiB; divide it into several files',
    ],
    // YAML
    [
      'a tab',
      { 'a.yaml': `${head}kind: VirtualService\nmetadata:\n\tname: web\n` },
      'a.yaml:4:1: a tab is used as indentation; YAML allows only spaces there',
    ],
    [
      'a duplicate key',
      { 'a.yaml': `${web}spec: {}\n` },
      'a.yaml:9:1: VirtualService default/web: the key spec is written twice in one mapping; keep one of them',
    ],
    [
      'a duplicate key deep inside',
      { 'a.yaml': web.replace('- port: 80', '- port: 80\n      port: 81') },
      'a.yaml:9:7: VirtualService default/web: the key port is written twice in one mapping; keep one of them',
    ],
    [
      'two megabytes of flow nesting',
      { 'a.yaml': `a: ${'['.repeat(2e6)}` },
      'a.yaml:1:103: nested too deeply; no object needs more than 100 levels',
    ],
    [
      'two megabytes of list nesting',
      { 'a.yaml': '- '.repeat(1e6) },
      'a.yaml:1:201: nested too deeply; no object needs more than 100 levels',
    ],
    [
      'two megabytes of nested mappings',
      { 'a.json': '{"a":'.repeat(4e5) },
      'a.json:1:496: nested too deeply; no object needs more than 100 levels',
    ],
    [
      'aliases that multiply',
      {
        'a.yaml': multiplyingAliases,
      },
      'a.yaml:1:1: its aliases multiply beyond measure; write the values out',
    ],
    [
      'an alias to nowhere',
      { 'a.yaml': 'a: *b\n' },
      'a.yaml:1:4: not valid YAML: unresolved alias (the anchor must be set before the alias): b',
    ],
    [
      'an unknown tag',
      { 'a.yaml': web.replace('wlc', '!secret wlc') },
      'a.yaml:6:14: VirtualService default/web: the tag !secret means nothing here; remove it',
    ],
    [
      'a missing bracket',
      { 'a.yaml': 'a: [1, 2\nb: 3\n' },
      'a.yaml:2:1: not valid YAML: flow sequence in block collection must be sufficiently indented and end with a ]',
    ],
    [
      'a colon forgotten',
      { 'a.yaml': `${head}kind VirtualService\nmetadata:\n` },
      'a.yaml:2:1: not valid YAML: implicit keys need to be on a single line',
    ],
    ['a quote left open', { 'a.yaml': 'a: "b\n' }, 'a.yaml:2:1: not valid YAML: missing closing "quote'],
    [
      'a mistake in the second document only',
      { 'a.yaml': `${web}---\n${serviceYaml('b')}\tx: 1\n` },
      'a.yaml:18:1: VirtualService default/b: a tab is used as indentation; YAML allows only spaces there',
    ],
    [
      'a mistake after Windows line ends',
      { 'a.yaml': `${web}---\n${serviceYaml('b', 'x')}`.replaceAll('\n', '\r\n') },
      'a.yaml:15:3: VirtualService default/b: spec.scheduler must be one of rr, wrr, lc, wlc, fo, ovf, ' +
        'lblc, lblcr, dh, sh, mh, sed, nq, not "x"',
    ],
    // The object
    [
      'text',
      { 'a.yaml': 'hello\n' },
      'a.yaml:1:1: the object must be a mapping with apiVersion, kind, metadata and spec, not "hello"',
    ],
    [
      'an object of others',
      { 'a.yaml': 'apiVersion: v1\nkind: Service\n' },
      'a.yaml:1:1: apiVersion "v1" with kind "Service" is not one of ours; move it to another folder',
    ],
    [
      'an unknown scheduler',
      { 'a.yaml': serviceYaml('web', 'wcl') },
      'a.yaml:6:3: VirtualService default/web: spec.scheduler must be one of rr, wrr, lc, wlc, fo, ' +
        'ovf, lblc, lblcr, dh, sh, mh, sed, nq, not "wcl"; did you mean "wlc"?',
    ],
    [
      'a flag on the wrong scheduler',
      { 'a.yaml': web.replace('wlc', 'rr\n  schedulerFlags:\n    - sh-port') },
      'a.yaml:8:7: VirtualService default/web: spec.schedulerFlags[0] sh-port applies to scheduler sh ' +
        'only, and spec.scheduler is rr',
    ],
    [
      'onePacket on TCP',
      { 'a.yaml': `${web}  onePacket: true\n` },
      'a.yaml:9:3: VirtualService default/web: spec.onePacket works for UDP only, and port 80 is TCP; remove it',
    ],
    [
      'yes for true',
      { 'a.yaml': `${web}  onePacket: yes\n` },
      'a.yaml:9:3: VirtualService default/web: spec.onePacket must be true or false, not "yes" (in ' +
        'YAML 1.2 only true is true)',
    ],
    [
      'a port in quotes',
      { 'a.yaml': web.replace('80', '"80"') },
      'a.yaml:8:7: VirtualService default/web: spec.ports[0].port must be a whole number from 1 to ' +
        '65535, not the text "80" (remove the quotes)',
    ],
    [
      'a misspelt field',
      { 'a.yaml': web.replace('scheduler', 'schedular') },
      'a.yaml:6:3: VirtualService default/web: spec.schedular is not a field here; did you mean "scheduler"?',
    ],
    [
      'a field that is missing',
      { 'a.yaml': web.replace('port: 80', 'name: http') },
      'a.yaml:8:7: VirtualService default/web: spec.ports[0].port is required: a whole number from 1 to 65535',
    ],
    [
      'a weight out of range',
      {
        'a.yaml':
          `${head}kind: RealServer\nmetadata: {name: ` +
          `a}\nspec:\n  virtualServiceRef: {name: web}\n  addresses: [198.51.100.1]\n  weight: 1001\n`,
      },
      'a.yaml:7:3: RealServer default/a: spec.weight must be a whole number from 0 to 1000, not 1001',
    ],
    [
      'two sources in one RealServer',
      {
        'a.yaml':
          `${head}kind: RealServer\nmetadata: {name: ` +
          `a}\nspec:\n  virtualServiceRef: {name: web}\n  addresses: [198.51.100.1]\n  podSelector: {}\n`,
      },
      'a.yaml:7:3: RealServer default/a: spec.podSelector cannot stand beside addresses: give exactly ' +
        'one of addresses, podSelector, serviceRef',
    ],
    [
      'a bad item of a List',
      {
        'a.yaml': listWithBadItem,
      },
      'a.yaml:9:7: VirtualService default/a: spec.scheduler must be one of rr, wrr, lc, wlc, fo, ovf, ' +
        'lblc, lblcr, dh, sh, mh, sed, nq, not "x"',
    ],
    [
      'a bad field that an alias brings',
      {
        'a.yaml':
          `${head}kind: VirtualService\nmetadata: {name: ` +
          `a}\nspec:\n  addresses:\n    - &one {ip: 192.0.2.300}\n    - *one\n  ports: [{port: 80}]\n`,
      },
      'a.yaml:6:13: VirtualService default/a: spec.addresses[0].ip must be an IP address: ' +
        '"192.0.2.300" is not an IP address.',
      'a.yaml:6:13: VirtualService default/a: spec.addresses[1].ip must be an IP address: ' +
        '"192.0.2.300" is not an IP address.',
    ],
    // Several files
    [
      'one object in two files',
      { 'a.yaml': web, 'b/c.yml': `# a copy\n${web}` },
      'b/c.yml:5:3: VirtualService default/web: is written at a.yaml:4:3 already; keep one of them',
    ],
    [
      'one object twice in a file',
      { 'a.yaml': `${web}---\n${web.replace('name: web', 'name: web\n  namespace: default')}` },
      'a.yaml:13:3: VirtualService default/web: is written at a.yaml:4:3 already; keep one of them',
    ],
  ];
  for (const [what, files, ...expected] of table)
    it(what, () => assert.deepEqual(problemsOf(files), expected));

  it('nesting by indentation, as deep as the stack goes', () => {
    const nested = Array.from({ length: 1900 }, (_, depth) => `${' '.repeat(depth)}a:\n`).join('');
    const [problem = ''] = problemsOf({ 'a.yaml': nested });
    assert.match(problem, /^a\.yaml:\d+:\d+: nested too deeply; no object needs more than 100 levels$/);
  });

  const good: readonly [
    what: string,
    files: Readonly<Record<string, string | Uint8Array>>,
    objects: readonly string[],
  ][] = [
    [
      'several documents, empty ones between',
      { 'a.yaml': `# head\n---\n${web}---\n# only words\n---\n---\n${serviceYaml('b')}...\n` },
      ['web', 'b'],
    ],
    ['a directive', { 'a.yaml': `%YAML 1.2\n---\n${web}` }, ['web']],
    ['a byte order mark', { 'a.yaml': `\ufeff${web}` }, ['web']],
    [
      'Windows line ends',
      { 'a.yaml': `${web}---\n${serviceYaml('b')}`.replaceAll('\n', '\r\n') },
      ['web', 'b'],
    ],
    [
      'JSON with tabs',
      {
        'a.json':
          '{\n\t"apiVersion": "networking.lvs-operator.io/v1alpha1",\n\t"kind": "VirtualService",\n' +
          '\t"metadata": {"name": "web"},\n\t"spec": {"ports": [{"port": 80}]}\n}',
      },
      ['web'],
    ],
    [
      'merge keys',
      {
        'a.yaml': web.replace(
          '    - port: 80',
          '    - &http {name: a, port: 80}\n    - <<: *http\n      name: b\n      port: 81',
        ),
      },
      ['web'],
    ],
    [
      'a port with a leading zero, which YAML 1.2 reads in decimal',
      { 'a.yaml': web.replace('80', '0080') },
      ['web'],
    ],
    [
      'three dashes inside a text block',
      {
        'a.yaml': `${web}---\n${withDashesInText}`,
      },
      ['web', 'b'],
    ],
    [
      'a List',
      { 'a.yaml': JSON.stringify({ apiVersion: 'v1', kind: 'List', items: [] }), 'b.yaml': web },
      ['web'],
    ],
    [
      'one name in two namespaces',
      { 'a.yaml': `${web}---\n${web.replace('name: web', 'name: web\n  namespace: shop')}` },
      ['web', 'web'],
    ],
  ];
  for (const [what, files, expected] of good) {
    it(`reads ${what}`, () => {
      using folder = temporaryFolder(files);
      const { objects, problems, isComplete } = readManifestPaths([folder.path]);
      assert.deepEqual(problems, []);
      assert.deepEqual(
        [...objects.values()].map(({ ref }) => ref.name),
        expected,
      );
      assert.equal(isComplete, true);
    });
  }
});
