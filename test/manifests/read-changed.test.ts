import assert from 'node:assert/strict';
import { linkSync, mkdirSync, renameSync, rmSync, symlinkSync, unlinkSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { openManifestFolder, readManifestFolder } from '../../src/manifests/index.ts';
import type { ManifestReading } from '../../src/manifests/index.ts';
import { serviceYaml, temporaryFolder } from './temporary-folder.ts';

/** The times of files come from the system, so the clock has to. */
const clock = { wallMs: () => Date.now(), monotonicMs: () => performance.now() };

type Folder = ReturnType<typeof temporaryFolder>;

/** Everything that a reading says, for comparison. */
function describeReading({ objects, problems, files, brokenObjects, isComplete }: ManifestReading) {
  return {
    objects: [...objects]
      .map(([key, object]) => [
        key,
        object.file,
        object.resource.kind === 'VirtualService' ? object.resource.spec.scheduler : '',
        object.locate(['spec', 'scheduler']).line,
      ])
      .sort(([a], [b]) => (String(a) < String(b) ? -1 : 1)),
    problems,
    files,
    brokenObjects: [...brokenObjects.keys()].sort(),
    isComplete,
  };
}

function lookAnew(folder: string): unknown {
  try {
    return describeReading(readManifestFolder(folder));
  } catch (error) {
    return String(error);
  }
}

/** Follows a folder by `readChanged` alone, and waits until it knows what a fresh look knows. */
function follow(folder: string) {
  const manifests = openManifestFolder(folder, clock);
  const read = (how: () => ManifestReading): unknown => {
    try {
      return describeReading(how());
    } catch (error) {
      return String(error);
    }
  };
  let known: unknown;
  manifests.watch(() => (known = read(() => manifests.readChanged())));
  known = read(() => manifests.read());
  return {
    async catchesUp(withinMs: number, after: string): Promise<void> {
      const endMs = performance.now() + withinMs;
      for (;;) {
        await sleep(20);
        const truth = lookAnew(folder);
        try {
          assert.deepEqual(known, truth, after);
          return;
        } catch (error) {
          if (performance.now() > endMs) throw error;
        }
      }
    },
    [Symbol.dispose]: () => manifests.close(),
  };
}

const names = ['a.yaml', 'b.yml', 'c.json', 'sub/d.yaml', 'sub/deep/e.yaml', 'other/f.yaml'];

/** One thing that a person or a tool does to a folder; `pick` chooses whom. */
const deeds: Readonly<Record<string, (folder: Folder, pick: number) => void>> = {
  edit: (folder, pick) =>
    folder.write(chosen(names, pick), serviceYaml(`s${pick % 6}`, chosen(['rr', 'lc', 'sh'], pick >> 3))),
  editMany: (folder, pick) =>
    folder.write(chosen(names, pick), `${serviceYaml(`m${pick}`)}---\n${serviceYaml(`n${pick % 4}`, 'rr')}`),
  breakFile: (folder, pick) => folder.write(chosen(names, pick), 'a: ['),
  empty: (folder, pick) => folder.write(chosen(names, pick), ''),
  remove: (folder, pick) => rmSync(join(folder.path, chosen(names, pick)), { force: true }),
  removeFolder: (folder, pick) =>
    rmSync(join(folder.path, chosen(['sub', 'sub/deep', 'other'], pick)), { recursive: true, force: true }),
  replace: (folder, pick) => {
    folder.write('.new', serviceYaml(`r${pick % 3}`));
    mkdirSync(join(folder.path, 'sub/deep'), { recursive: true });
    mkdirSync(join(folder.path, 'other'), { recursive: true });
    renameSync(join(folder.path, '.new'), join(folder.path, chosen(names, pick)));
  },
  notes: (folder, pick) => folder.write(chosen(['README.md', 'sub/notes.txt', '4913'], pick), `${pick}`),
  link: (folder, pick) => {
    rmSync(join(folder.path, 'g.yaml'), { force: true });
    symlinkSync(chosen(names, pick), join(folder.path, 'g.yaml'));
  },
};

function chosen<T>(list: readonly T[], pick: number): T {
  const value = list[pick % list.length];
  assert.ok(value !== undefined);
  return value;
}

describe('what the watch tells of is enough', { concurrency: 2 }, () => {
  for (let seed = 1; seed <= 6; seed++) {
    it(`to know what a fresh look knows, after each of 40 deeds, series ${seed}`, async () => {
      using folder = temporaryFolder({ 'a.yaml': serviceYaml('a'), 'z.yaml': serviceYaml('z') });
      using followed = follow(folder.path);
      let state = seed * 7919;
      const random = (): number => (state = (state * 48271) % 0x7fffffff);
      for (let step = 0; step < 40; step++) {
        const [name, deed] = chosen(Object.entries(deeds), random());
        const pick = random() % 1000;
        deed(folder, pick);
        if (step % 4 !== 3) continue;
        // Long before a poll of two seconds would help out, unless an edit by another name needs it.
        await followed.catchesUp(1500, `step ${step}: ${name} ${pick}`);
      }
    });
  }

  it('for the other names of a file: links and hard links', async () => {
    using folder = temporaryFolder({ 'a.yaml': serviceYaml('a'), 'sub/b.yaml': serviceYaml('b') });
    symlinkSync('a.yaml', join(folder.path, 'link.yaml'));
    linkSync(join(folder.path, 'sub/b.yaml'), join(folder.path, 'hard.yaml'));
    using followed = follow(folder.path);
    for (const scheduler of ['rr', 'lc', 'sh']) {
      folder.write('a.yaml', serviceYaml('a', scheduler));
      await followed.catchesUp(1500, `a.yaml ${scheduler}`);
      folder.write('hard.yaml', serviceYaml('b', scheduler));
      await followed.catchesUp(1500, `hard.yaml ${scheduler}`);
    }
    unlinkSync(join(folder.path, 'a.yaml'));
    await followed.catchesUp(1500, 'a.yaml gone');
  });

  it('when hundreds of files change at once', async () => {
    const many = Array.from({ length: 400 }, (_, index) => `many/${index}.yaml`);
    using folder = temporaryFolder({ 'a.yaml': serviceYaml('a') });
    for (const [index, name] of many.entries()) folder.write(name, serviceYaml(`m${index}`));
    using followed = follow(folder.path);
    for (const [index, name] of many.entries()) folder.write(name, serviceYaml(`m${index}`, 'rr'));
    await followed.catchesUp(5000, 'all written');
  });
});

describe('a reading of what changed', () => {
  it('is the last one when the watch told of nothing, and a whole one without a watch', () => {
    using folder = temporaryFolder({ 'a.yaml': serviceYaml('a') });
    const manifests = openManifestFolder(folder.path, clock);
    const first = manifests.readChanged();
    folder.write('a.yaml', serviceYaml('a', 'rr'));
    assert.notEqual(manifests.readChanged(), first);
    manifests.watch(() => undefined);
    const second = manifests.read();
    folder.write('b.yaml', serviceYaml('b'));
    assert.equal(manifests.readChanged(), second, 'no event was delivered yet');
    assert.notEqual(manifests.read(), second);
    manifests.close();
  });

  it('keeps the objects of every other file', async () => {
    using folder = temporaryFolder({ 'a.yaml': serviceYaml('a'), 'b.yaml': serviceYaml('b') });
    const manifests = openManifestFolder(folder.path, clock);
    const changed = new Promise<ManifestReading>((resolve) => {
      manifests.watch(() => resolve(manifests.readChanged()));
    });
    const before = manifests.read();
    folder.write('b.yaml', serviceYaml('b', 'rr'));
    const after = await changed;
    const of = (reading: ManifestReading, name: string) =>
      reading.objects.get(`VirtualService default/${name}`);
    assert.equal(of(after, 'a'), of(before, 'a'));
    assert.notEqual(of(after, 'b')?.resource, of(before, 'b')?.resource);
    manifests.close();
  });

  it('fails while the folder is gone, and is whole when it is back', () => {
    using parent = temporaryFolder({ 'one/a.yaml': serviceYaml('a') });
    const path = join(parent.path, 'one');
    const manifests = openManifestFolder(path, clock);
    manifests.watch(() => undefined);
    manifests.read();
    rmSync(path, { recursive: true });
    assert.throws(() => manifests.read(), /does not exist/);
    parent.write('one/b.yaml', serviceYaml('b'));
    assert.deepEqual([...manifests.readChanged().objects.keys()], ['VirtualService default/b']);
    manifests.close();
  });
});
