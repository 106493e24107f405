import assert from 'node:assert/strict';
import { mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { openManifestFolder } from '../../src/manifests/index.ts';
import { serviceYaml, temporaryFolder } from './temporary-folder.ts';

/** The times of files come from the system, so the clock has to. */
const clock = { wallMs: () => Date.now(), monotonicMs: () => performance.now() };

/**
 * Follows a folder as a director does, and answers when its content is as wanted. Longer than two polls means that
 * the change was missed.
 */
function follow(path: string) {
  const manifests = openManifestFolder(path, clock);
  let waiting: { readonly wanted: string; readonly resolve: () => void } | undefined;
  const state = () => {
    try {
      return [...manifests.read().objects.values()]
        .map(
          ({ ref, resource }) =>
            `${ref.name}:${resource.kind === 'VirtualService' ? resource.spec.scheduler : ''}`,
        )
        .sort()
        .join(' ');
    } catch {
      return 'none';
    }
  };
  manifests.watch(() => {
    if (waiting !== undefined && state() === waiting.wanted) waiting.resolve();
  });
  state();
  return {
    async until(wanted: string): Promise<void> {
      const reached = new Promise<'reached'>((resolve) => {
        waiting = { wanted, resolve: () => resolve('reached') };
      });
      const outcome = await Promise.race([reached, sleep(5000, 'missed', { ref: false })]);
      assert.equal(outcome, 'reached', `wanted ${wanted}, have ${state()}`);
    },
    [Symbol.dispose]: () => manifests.close(),
  };
}

describe('a watched folder', { concurrency: true }, () => {
  it('tells of files written, replaced, added and removed', async () => {
    using folder = temporaryFolder({ 'a.yaml': serviceYaml('a') });
    using followed = follow(folder.path);
    folder.write('a.yaml', serviceYaml('a', 'rr'));
    await followed.until('a:rr');
    folder.write('.a.yaml.tmp', serviceYaml('a', 'lc'));
    renameSync(join(folder.path, '.a.yaml.tmp'), join(folder.path, 'a.yaml'));
    await followed.until('a:lc');
    folder.write('b.yaml', serviceYaml('b'));
    await followed.until('a:lc b:wlc');
    rmSync(join(folder.path, 'a.yaml'));
    await followed.until('b:wlc');
  });

  it('tells of files in folders that were made later', async () => {
    using folder = temporaryFolder({ 'a.yaml': serviceYaml('a') });
    using followed = follow(folder.path);
    folder.write('sub/deep/b.yaml', serviceYaml('b'));
    await followed.until('a:wlc b:wlc');
    folder.write('sub/deep/b.yaml', serviceYaml('b', 'rr'));
    await followed.until('a:wlc b:rr');
    rmSync(join(folder.path, 'sub'), { recursive: true });
    await followed.until('a:wlc');
  });

  it('follows the way the kubelet updates a mounted ConfigMap', async () => {
    using folder = temporaryFolder();
    const revision = (name: string, scheduler: string) => {
      mkdirSync(join(folder.path, name));
      writeFileSync(join(folder.path, name, 'a.yaml'), serviceYaml('a', scheduler));
      symlinkSync(name, join(folder.path, '..data_tmp'));
      renameSync(join(folder.path, '..data_tmp'), join(folder.path, '..data'));
    };
    revision('..2026_01_01', 'rr');
    symlinkSync('..data/a.yaml', join(folder.path, 'a.yaml'));
    using followed = follow(folder.path);
    revision('..2026_01_02', 'lc');
    rmSync(join(folder.path, '..2026_01_01'), { recursive: true });
    await followed.until('a:lc');
    revision('..2026_01_03', 'sh');
    await followed.until('a:sh');
  });

  it('follows when the folder itself is replaced, or goes and comes back', async () => {
    using parent = temporaryFolder({ 'one/a.yaml': serviceYaml('a'), 'two/a.yaml': serviceYaml('a', 'rr') });
    const path = join(parent.path, 'current');
    symlinkSync('one', path);
    using followed = follow(path);
    symlinkSync('two', `${path}.new`);
    renameSync(`${path}.new`, path);
    await followed.until('a:rr');
    parent.write('two/a.yaml', serviceYaml('a', 'lc'));
    await followed.until('a:lc');
    rmSync(path);
    await followed.until('none');
    mkdirSync(path);
    writeFileSync(join(path, 'b.yaml'), serviceYaml('b'));
    await followed.until('b:wlc');
  });

  it('finds by its poll what no event tells: a file outside that a link leads to', async () => {
    using outside = temporaryFolder({ 'a.yaml': serviceYaml('a') });
    using folder = temporaryFolder();
    symlinkSync(join(outside.path, 'a.yaml'), join(folder.path, 'a.yaml'));
    using followed = follow(folder.path);
    // Events of the folders being made may still arrive; they must not help.
    await sleep(100);
    outside.write('a.yaml', serviceYaml('a', 'rr'));
    await followed.until('a:rr');
  });

  it('never rests on an old state, however fast the edits follow each other', async () => {
    using folder = temporaryFolder({ 'a.yaml': serviceYaml('a') });
    using followed = follow(folder.path);
    const schedulers = ['rr', 'wrr', 'lc', 'wlc', 'sh', 'mh'];
    for (let edit = 0; edit < 60; edit++) {
      folder.write('a.yaml', serviceYaml('a', schedulers[edit % schedulers.length]));
      if (edit % 7 === 0) await sleep(edit % 13);
    }
    folder.write('a.yaml', serviceYaml('a', 'sed'));
    await followed.until('a:sed');
  });

  it('is silent after close', async () => {
    using folder = temporaryFolder({ 'a.yaml': serviceYaml('a') });
    const manifests = openManifestFolder(folder.path, clock);
    let calls = 0;
    manifests.watch(() => calls++);
    folder.write('a.yaml', serviceYaml('a', 'rr'));
    manifests.close();
    await sleep(150);
    assert.equal(calls, 0);
  });
});
