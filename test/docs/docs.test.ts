import assert from 'node:assert/strict';
import { existsSync, globSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, it } from 'node:test';

const root = path.resolve(import.meta.dirname, '../..');
const pages = [
  'README.md',
  'ARCHITECTURE.md',
  'CONTRIBUTING.md',
  'CHANGELOG.md',
  ...globSync('docs/*.md', { cwd: root }),
];
const read = (page: string): string => readFileSync(path.join(root, page), 'utf8');

describe('pages for people', () => {
  for (const page of pages) {
    it(`${page}: every link leads somewhere`, () => {
      const dead = linksOf(read(page)).filter((link) => !leadsSomewhere(page, link));
      assert.deepEqual(dead, []);
    });
  }

  it('a link to nothing is found', () => {
    const text =
      '[a](nothing.md) [b](api.md#no-such-head) [c](api.md#virtualservice) [d](https://example.org)';
    const dead = linksOf(text).filter((link) => !leadsSomewhere('docs/x.md', link));
    assert.deepEqual(dead, ['nothing.md', 'api.md#no-such-head']);
  });

  it('reasons that troubleshooting names are reasons that the code gives', () => {
    const source = globSync('src/**/*.ts', { cwd: root }).map(read).join('\n');
    const unknown = reasonsOf(read('docs/troubleshooting.md')).filter(
      (reason) => !source.includes(`'${reason}'`),
    );
    assert.deepEqual(unknown, []);
    assert.ok(reasonsOf('| `Programmed=False` `NoSuchThing` | x |').includes('NoSuchThing'));
  });
});

function linksOf(text: string): string[] {
  const withoutCode = text.replaceAll(/```[\s\S]*?```/g, '');
  return [...withoutCode.matchAll(/\]\(([^)\s]+)\)/g)]
    .map(([, link]) => link ?? '')
    .filter((link) => !/^https?:/.test(link));
}

function leadsSomewhere(page: string, link: string): boolean {
  const [file = '', anchor] = link.split('#');
  const target = file === '' ? page : path.join(path.dirname(page), file);
  if (!existsSync(path.join(root, target))) return false;
  return anchor === undefined || !target.endsWith('.md') || anchorsOf(read(target)).includes(anchor);
}

/** As GitHub makes them of headings. */
function anchorsOf(text: string): string[] {
  return [...text.matchAll(/^#{1,6} (.+)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-'),
  );
}

/** Code spans in the first column of a table that are spelled as reasons are; `Condition=Status` is not one. */
function reasonsOf(text: string): string[] {
  const rows = text.split('\n').filter((line) => line.startsWith('|'));
  return rows.flatMap((row) =>
    [...(row.split('|')[1] ?? '').matchAll(/`([A-Z][a-z]+(?:[A-Z][a-z]+)+)`/g)].map(
      ([, reason]) => reason ?? '',
    ),
  );
}
