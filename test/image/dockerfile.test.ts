/** The Dockerfile and the layout that tests run say the same. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { before, describe, it } from 'node:test';
import { assembleImage, sizeOf } from '../../tools/assemble-image.ts';
import { imageEnvironment, imagePaths, nonRootUid } from '../../tools/image-layout.ts';

const repository = path.resolve(import.meta.dirname, '../..');
const image = path.join(repository, 'build/image');

describe('the Dockerfile', () => {
  const stages = readFileSync(path.join(repository, 'Dockerfile'), 'utf8').split(/^FROM /m);
  const [, build = '', final = ''] = stages;

  it('has two stages, and the last one is only what the tests assemble', () => {
    assert.equal(stages.length, 3);
    assert.match(build, /^RUN node_modules\/node\/bin\/node tools\/assemble-image\.ts \/image$/m);
    const instructions = [...final.matchAll(/^([A-Z]+) (.+)$/gm)].map(([, word = '', rest = '']) => [
      word,
      rest,
    ]);
    assert.deepEqual(
      instructions.filter(([word]) => word !== 'ENV'),
      [
        ['COPY', '--from=build /image /'],
        ['USER', `${nonRootUid}:${nonRootUid}`],
        ['ENTRYPOINT', JSON.stringify([imagePaths.node, imagePaths.product]).replace(',', ', ')],
        ['CMD', '["--help"]'],
      ],
    );
    assert.equal(final.split('\n')[0], 'scratch');
  });

  it('sets the environment that the tests set', () => {
    const set = [...final.matchAll(/^ENV (\w+)=(\S+)$/gm)].map(([, name, value]) => [name, value]);
    assert.deepEqual(Object.fromEntries(set), imageEnvironment);
  });
});

describe('the image', () => {
  before(() => assembleImage(image));

  const files = () =>
    // Below /usr, which the other folders are links to.
    readdirSync(path.join(image, 'usr'), { recursive: true, withFileTypes: true }).filter((entry) =>
      entry.isFile(),
    );

  it('has what a controller and a director run, and is as large as the documents say', () => {
    for (const name of [
      imagePaths.node,
      imagePaths.product,
      '/usr/sbin/xtables-nft-multi',
      '/usr/bin/lvs-operator',
    ])
      assert.ok(existsSync(path.join(image, name)), name);
    const megabytes = sizeOf(image) / 1e6;
    console.log(`${megabytes.toFixed(0)} MB`);
    const [, told = ''] =
      /image is (\d+) MB/.exec(readFileSync(path.join(repository, 'docs/install.md'), 'utf8')) ?? [];
    assert.ok(Math.abs(megabytes - Number(told)) < 10, `docs/install.md says ${told}, it is ${megabytes}`);
  });

  it('has no shell, no package manager, no sources, one native file, and nothing that is set-uid', () => {
    const found = files();
    const names = found.map(({ name }) => name);
    assert.deepEqual(
      names.filter((name) => /^(?:sh|bash|dash|busybox|env|apt.*|dpkg|npm|npx)$|\.(?:ts|map)$/.test(name)),
      [],
    );
    assert.deepEqual(
      names.filter((name) => name.endsWith('.node')),
      ['koffi.node'],
    );
  });
});
