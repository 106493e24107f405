import assert from 'node:assert/strict';
import { mkdirSync, renameSync, rmSync, symlinkSync, unlinkSync, utimesSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { isLvsError } from '../../src/base/index.ts';
import {
  groupResources,
  keepLastGood,
  openManifestFolder,
  readManifestFolder,
  readManifestPaths,
} from '../../src/manifests/index.ts';
import type { ManifestObject, ManifestReading } from '../../src/manifests/index.ts';
import { serviceYaml, temporaryFolder } from './temporary-folder.ts';

/** The times of files come from the system, so the clock has to. */
const clock = { wallMs: () => Date.now(), monotonicMs: () => performance.now() };

const names = (objects: ReadonlyMap<string, ManifestObject>) =>
  [...objects.values()].map(({ ref }) => ref.name).sort();
const schedulerOf = (objects: ReadonlyMap<string, ManifestObject>, name: string) => {
  const resource = objects.get(`VirtualService default/${name}`)?.resource;
  return resource?.kind === 'VirtualService' ? resource.spec.scheduler : undefined;
};

/** Makes files look as if they had been left alone for a minute. */
function settle(...files: readonly string[]): void {
  const past = Date.now() / 1000 - 60;
  for (const file of files) utimesSync(file, past, past);
}

describe('a folder is never mistaken for "no objects"', () => {
  const refusals: readonly [what: string, prepare: (folder: string) => string, message: RegExp][] = [
    [
      'a missing folder',
      (folder) => join(folder, 'x'),
      /The manifest folder \S+ does not exist \(or is a link to nowhere\)\.$/,
    ],
    ['an empty folder', (folder) => folder, /holds no \*\.yaml, \*\.yml or \*\.json file\.$/],
    [
      'a folder with other files only',
      (folder) => (mkdirSync(join(folder, 'a.txt')), folder),
      /holds no \*\.yaml/,
    ],
    ['a file', () => import.meta.filename, /is not a folder\.$/],
  ];
  for (const [what, prepare, message] of refusals) {
    it(what, () => {
      using folder = temporaryFolder();
      const path = prepare(folder.path);
      assert.throws(
        () => readManifestFolder(path),
        (error) => isLvsError(error, 'LVS_MANIFEST_FOLDER') && message.test(error.message),
      );
    });
  }

  it('files with comments only', () => {
    using folder = temporaryFolder({ 'a.yaml': '# nothing\n', 'b.json': '# nothing\n' });
    const manifests = openManifestFolder(folder.path, clock);
    for (const _time of ['first', 'second']) {
      assert.throws(() => manifests.read(), /holds no object in its 2 file\(s\)/);
    }
  });

  it('a folder of broken objects is read, and says what is broken', () => {
    using folder = temporaryFolder({ 'a.yaml': serviceYaml('web', 'x') });
    const reading = readManifestFolder(folder.path);
    assert.deepEqual([...reading.brokenObjects.keys()], ['VirtualService default/web']);
    assert.equal(reading.isComplete, false);
  });
});

describe('which files count', () => {
  it('yaml, yml and json at every depth; no hidden ones, no backups', () => {
    using folder = temporaryFolder({
      'b.yml': serviceYaml('b'),
      'a.yaml': serviceYaml('a'),
      'sub/deep/c.json': JSON.stringify({ apiVersion: 'v1', kind: 'List', items: [] }),
      '.hidden.yaml': 'x',
      '.git/d.yaml': 'x',
      'e.yaml~': 'x',
      'README.md': 'x',
    });
    const { files } = readManifestFolder(folder.path);
    assert.deepEqual(
      files.map((file) => file.slice(folder.path.length + 1)),
      ['a.yaml', 'b.yml', 'sub/deep/c.json'],
    );
  });

  it('links are followed once, even in a circle', () => {
    using folder = temporaryFolder({ 'sub/a.yaml': serviceYaml('a') });
    symlinkSync('..', join(folder.path, 'sub', 'up'));
    symlinkSync('sub', join(folder.path, 'zzz'));
    assert.deepEqual(names(readManifestFolder(folder.path).objects), ['a']);
  });

  it('a link to nowhere with the name of a manifest is a problem, and the folder is not complete', () => {
    using folder = temporaryFolder({ 'a.yaml': serviceYaml('a') });
    symlinkSync('gone', join(folder.path, 'b.yaml'));
    const { problems, incompletePaths } = readManifestFolder(folder.path);
    assert.deepEqual(
      problems.map(({ message }) => message),
      ['does not exist (or is a link to nowhere)'],
    );
    assert.deepEqual(incompletePaths, [join(folder.path, 'b.yaml')]);
  });

  it('named files may have any name', () => {
    using folder = temporaryFolder({ 'a.txt': serviceYaml('a'), 'sub/b.yaml': serviceYaml('b') });
    const reading = readManifestPaths([join(folder.path, 'a.txt'), join(folder.path, 'sub')]);
    assert.deepEqual(names(reading.objects), ['a', 'b']);
  });

  it('a named file that is missing is a problem', () => {
    const { problems } = readManifestPaths(['/nonexistent/a.yaml']);
    assert.deepEqual(
      problems.map(({ message }) => message),
      ['does not exist (or is a link to nowhere)'],
    );
  });
});

describe('reading again', () => {
  it('keeps the identity of every object whose document did not change', () => {
    using folder = temporaryFolder({
      'a.yaml': `${serviceYaml('a')}---\n${serviceYaml('b')}---\n${serviceYaml('c')}`,
    });
    const manifests = openManifestFolder(folder.path, clock);
    const before = manifests.read().objects;
    folder.write(
      'a.yaml',
      `# a word more\n${serviceYaml('a')}---\n${serviceYaml('b', 'rr')}---\n${serviceYaml('c')}`,
    );
    const after = manifests.read().objects;
    const same = (name: string) =>
      before.get(`VirtualService default/${name}`)?.resource ===
      after.get(`VirtualService default/${name}`)?.resource;
    assert.deepEqual(['a', 'b', 'c'].map(same), [false, false, true]);
    assert.equal(schedulerOf(after, 'b'), 'rr');
    assert.equal(after.get('VirtualService default/c')?.locate(['spec', 'scheduler']).line, 25);
  });

  it('gives back the same reading when no content changed, even if a file was written again', () => {
    using folder = temporaryFolder({ 'a.yaml': serviceYaml('a'), 'b.yaml': 'b: [' });
    const manifests = openManifestFolder(folder.path, clock);
    const before = manifests.read();
    folder.write('a.yaml', serviceYaml('a'));
    assert.equal(manifests.read(), before);
    folder.write('b.yaml', 'b: ]');
    assert.notEqual(manifests.read(), before);
  });

  it('sees a second edit of the same length within one tick of the file clock', () => {
    using folder = temporaryFolder();
    const file = join(folder.path, 'a.yaml');
    const manifests = openManifestFolder(folder.path, clock);
    const tick = Date.now() / 1000;
    for (const scheduler of ['lc', 'rr', 'sh']) {
      folder.write('a.yaml', serviceYaml('a', scheduler));
      utimesSync(file, tick, tick);
      assert.equal(schedulerOf(manifests.read().objects, 'a'), scheduler);
    }
  });

  it('locates fields, missing ones by what is around them', () => {
    using folder = temporaryFolder({ 'a.yaml': `---\n${serviceYaml('a')}` });
    const object = readManifestFolder(folder.path).objects.get('VirtualService default/a');
    const at = (...path: (string | number)[]) => {
      const { line = 0, column = 0 } = object?.locate(path) ?? {};
      return `${line}:${column}`;
    };
    assert.equal(at('spec', 'scheduler'), '7:3');
    assert.equal(at('spec', 'ports', 0, 'port'), '9:7');
    assert.equal(at('spec', 'ports', 0, 'protocol'), '9:7');
    assert.equal(at('spec', 'addresses'), '6:1');
    assert.equal(at(), '2:1');
  });
});

describe('what is absent only because it cannot be read is kept', () => {
  /** Reads before and after an edit, and gives what a director would serve. */
  function afterEdit(edit: (folder: ReturnType<typeof temporaryFolder>) => void): {
    readonly served: ReadonlyMap<string, ManifestObject>;
    readonly reading: ManifestReading;
  } {
    using folder = temporaryFolder({
      'a.yaml': `${serviceYaml('a1')}---\n${serviceYaml('a2')}`,
      'b.yaml': serviceYaml('b'),
      'sub/c.yaml': serviceYaml('c'),
    });
    const before = readManifestFolder(folder.path);
    edit(folder);
    const reading = readManifestFolder(folder.path);
    return { served: keepLastGood(before.objects, reading), reading };
  }

  const table: readonly [
    what: string,
    edit: (folder: ReturnType<typeof temporaryFolder>) => void,
    served: readonly string[],
  ][] = [
    ['nothing happened', () => undefined, ['a1', 'a2', 'b', 'c']],
    ['a clean removal takes effect', (folder) => folder.write('a.yaml', serviceYaml('a1')), ['a1', 'b', 'c']],
    ['a deleted file takes effect', (folder) => unlinkSync(join(folder.path, 'b.yaml')), ['a1', 'a2', 'c']],
    [
      'an invalid object keeps its last good form',
      (folder) => folder.write('b.yaml', serviceYaml('b', 'x')),
      ['a1', 'a2', 'b', 'c'],
    ],
    [
      'a document that is not YAML keeps the objects of its file',
      (folder) => folder.write('a.yaml', `${serviceYaml('a1')}---\na: [`),
      ['a1', 'a2', 'b', 'c'],
    ],
    ['an emptied file keeps its objects', (folder) => folder.write('a.yaml', ''), ['a1', 'a2', 'b', 'c']],
    [
      'a name that cannot be read keeps the objects of its file',
      (folder) => folder.write('b.yaml', serviceYaml('b').replace('name:', 'nam:')),
      ['a1', 'a2', 'b', 'c'],
    ],
    [
      'another file being broken does not stop a clean removal',
      (folder) => (folder.write('a.yaml', serviceYaml('a1')), folder.write('b.yaml', 'b: [')),
      ['a1', 'b', 'c'],
    ],
    [
      'a file that is gone may have moved into a broken one',
      (folder) => (unlinkSync(join(folder.path, 'b.yaml')), folder.write('d.yaml', 'd: [')),
      ['a1', 'a2', 'b', 'c'],
    ],
    [
      'an object written twice keeps its last good form',
      (folder) => folder.write('d.yaml', serviceYaml('b', 'rr')),
      ['a1', 'a2', 'b', 'c'],
    ],
    [
      'an object that moved is served from its new place',
      (folder) => renameSync(join(folder.path, 'b.yaml'), join(folder.path, 'd.yaml')),
      ['a1', 'a2', 'b', 'c'],
    ],
    [
      'a folder that became a link to nowhere keeps its objects',
      (folder) => (
        rmSync(join(folder.path, 'sub'), { recursive: true }),
        symlinkSync('x', join(folder.path, 'sub.yaml'))
      ),
      ['a1', 'a2', 'b', 'c'],
    ],
  ];
  for (const [what, edit, served] of table)
    it(what, () => assert.deepEqual(names(afterEdit(edit).served), served));

  it('a last good form is the old one, not the new one', () => {
    assert.equal(
      schedulerOf(afterEdit((folder) => folder.write('d.yaml', serviceYaml('b', 'rr'))).served, 'b'),
      'wlc',
    );
  });
});

describe('a file that is being saved', () => {
  it('does not lose objects until it was left alone', async () => {
    using folder = temporaryFolder({ 'a.yaml': `${serviceYaml('a')}---\n${serviceYaml('b')}` });
    const manifests = openManifestFolder(folder.path, clock);
    const before = manifests.read();
    folder.write('a.yaml', serviceYaml('a', 'rr'));
    const during = manifests.read();
    const served = keepLastGood(before.objects, during);
    assert.deepEqual(names(served), ['a', 'b'], 'the half that is not there yet is kept');
    assert.equal(schedulerOf(served, 'a'), 'rr', 'the half that is there counts at once');
    await sleep(120);
    assert.deepEqual(names(keepLastGood(served, manifests.read())), ['a']);
  });

  it('does not lose objects while it is gone for a moment', async () => {
    using folder = temporaryFolder({ 'a.yaml': serviceYaml('a'), 'b.yaml': serviceYaml('b') });
    const manifests = openManifestFolder(folder.path, clock);
    const before = manifests.read();
    unlinkSync(join(folder.path, 'b.yaml'));
    const during = keepLastGood(before.objects, manifests.read());
    assert.deepEqual(names(during), ['a', 'b']);
    await sleep(120);
    assert.deepEqual(names(keepLastGood(during, manifests.read())), ['a']);
  });

  it('is believed at once when the edit is old', () => {
    using folder = temporaryFolder({ 'a.yaml': `${serviceYaml('a')}---\n${serviceYaml('b')}` });
    const manifests = openManifestFolder(folder.path, clock);
    const before = manifests.read();
    folder.write('a.yaml', serviceYaml('a'));
    settle(join(folder.path, 'a.yaml'));
    assert.deepEqual(names(keepLastGood(before.objects, manifests.read())), ['a']);
  });
});

describe('groupResources', () => {
  it('sorts by kind', () => {
    using folder = temporaryFolder({ 'a.yaml': serviceYaml('a') });
    const { virtualServices, realServers, addressPools } = groupResources(
      readManifestFolder(folder.path).objects.values(),
    );
    assert.deepEqual([virtualServices.length, realServers.length, addressPools.length], [1, 0, 0]);
  });
});
