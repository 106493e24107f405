import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { formatObjectRef, objectRefOf, parseResource } from '../../src/api/index.ts';
import { LvsError } from '../../src/base/index.ts';
import type { Logger } from '../../src/base/index.ts';
import { ManifestSource } from '../../src/director/manifest-source.ts';
import type { ManifestFolder, ManifestObject, ManifestReading } from '../../src/manifests/index.ts';

/** A folder that answers what the test says, and what a director makes of it. */

function manifest(name: string, file: string, address = '192.0.2.1'): ManifestObject {
  const parsed = parseResource({
    apiVersion: 'networking.lvs-operator.io/v1alpha1',
    kind: 'VirtualService',
    metadata: { name },
    spec: { addresses: [{ ip: address }], ports: [{ port: 80 }] },
  });
  assert.ok(parsed.ok);
  const ref = objectRefOf(parsed.resource);
  return { ref, resource: parsed.resource, file, locate: () => ({ file, line: 1, column: 1 }) };
}

function byRef(objects: readonly ManifestObject[]): ReadonlyMap<string, ManifestObject> {
  return new Map(objects.map((object) => [formatObjectRef(object.ref), object]));
}

function whole(...objects: readonly ManifestObject[]): ManifestReading {
  return {
    objects: byRef(objects),
    problems: [],
    files: objects.map(({ file }) => file),
    incompletePaths: [],
    brokenObjects: new Set(),
    isComplete: true,
  } as unknown as ManifestReading;
}

function withBrokenFile(broken: string, ...objects: readonly ManifestObject[]): ManifestReading {
  const problem = {
    file: broken,
    line: 3,
    column: 1,
    reason: 'YamlInvalid',
    message: 'a tab',
    object: undefined,
  };
  return {
    ...whole(...objects),
    problems: [problem],
    files: [...objects.map(({ file }) => file), broken],
    incompletePaths: [broken],
    isComplete: false,
  };
}

const gone = new LvsError('LVS_MANIFEST_FOLDER', 'The folder is gone.');

function world(lastGood: readonly ManifestObject[] = []) {
  const log: string[] = [];
  const write = (message: string): void => void log.push(message);
  const logger: Logger = { debug: write, info: write, warn: write, error: write, child: () => logger };
  const answer: { next: ManifestReading | LvsError; loads: number } = { next: whole(), loads: 0 };
  const answerNext = (): ManifestReading => {
    if (answer.next instanceof LvsError) throw answer.next;
    return answer.next;
  };
  const folder: ManifestFolder = {
    read: answerNext,
    readChanged: answerNext,
    watch: () => {},
    close: () => {},
  };
  const source = new ManifestSource({
    folder,
    path: 'manifests',
    loadLastGood: () => {
      answer.loads++;
      return byRef(lastGood);
    },
    clock: { wallMs: () => 0, monotonicMs: () => 0 },
    logger,
  });
  const read = (next: ManifestReading | LvsError) => {
    answer.next = next;
    source.refresh();
    const view = source.current();
    return {
      names: view.resources.virtualServices.map(({ metadata }) => metadata.name),
      isComplete: view.isComplete,
      problems: view.problems.map(({ where, message }) => `${where}: ${message}`),
      view,
    };
  };
  return { read, log, answer };
}

describe('a source of manifests', () => {
  it('is not complete before anything was read, nor while the first reading fails', () => {
    const { read } = world();
    assert.equal(read(gone).isComplete, false);
    assert.equal(read(withBrokenFile('b.yaml', manifest('a', 'a.yaml'))).isComplete, false);
    assert.equal(read(whole(manifest('a', 'a.yaml'))).isComplete, true);
  });

  it('removes what a whole reading lacks', () => {
    const { read } = world();
    read(whole(manifest('a', 'a.yaml'), manifest('b', 'b.yaml')));
    assert.deepEqual(read(whole(manifest('a', 'a.yaml'))).names, ['a']);
  });

  it('keeps what a broken file held, and says where it is broken', () => {
    const { read, log } = world();
    const [a, b] = [manifest('a', 'a.yaml'), manifest('b', 'b.yaml')];
    read(whole(a, b));
    const { names, isComplete, problems } = read(withBrokenFile('b.yaml', a));
    assert.deepEqual([names.toSorted(), isComplete, problems], [['a', 'b'], true, ['b.yaml:3:1: a tab']]);
    assert.deepEqual(log, ['b.yaml:3:1: a tab']);
    read(withBrokenFile('b.yaml', a));
    assert.equal(log.length, 1, 'told once');
    read(whole(a, b));
    assert.deepEqual(log.slice(1), ['all manifests are readable again']);
  });

  it('keeps everything while the folder is gone, and goes on with the next reading', () => {
    const { read } = world();
    read(whole(manifest('a', 'a.yaml')));
    const { names, isComplete, problems } = read(gone);
    assert.deepEqual([names, isComplete, problems], [['a'], true, ['manifests: The folder is gone.']]);
    assert.deepEqual(read(whole(manifest('b', 'b.yaml'))).names, ['b']);
  });

  it('starts from the last good state on disk when the folder cannot be read whole', () => {
    const saved = [manifest('a', 'a.yaml'), manifest('b', 'b.yaml')];
    const absent = world(saved).read(gone);
    assert.deepEqual([absent.names.toSorted(), absent.isComplete], [['a', 'b'], true]);
    const broken = world(saved).read(withBrokenFile('b.yaml', manifest('a', 'a.yaml', '192.0.2.9')));
    assert.deepEqual([broken.names.toSorted(), broken.isComplete], [['a', 'b'], true]);
    const [first] = broken.view.resources.virtualServices.filter(({ metadata }) => metadata.name === 'a');
    assert.equal(
      first?.spec.addresses?.[0]?.ip,
      '192.0.2.9',
      'what can be read is newer than what was saved',
    );
  });

  it('does not ask the disk when the folder is whole', () => {
    const { read, answer } = world([manifest('old', 'old.yaml')]);
    assert.deepEqual(read(whole(manifest('a', 'a.yaml'))).names, ['a']);
    assert.equal(answer.loads, 0);
  });

  it('counts every reading, and keeps the resources of an equal one', () => {
    const { read } = world();
    const a = manifest('a', 'a.yaml');
    const first = read(whole(a)).view;
    const second = read(whole(a)).view;
    assert.equal(second.listNumber, first.listNumber + 1);
    assert.equal(second.resources, first.resources);
  });
});
