/**
 * `npm run build`: bundles src/cli/main.ts into the one file that the image, the lab, the demo and the benchmarks run.
 *
 * A bundle starts five times faster than the sources do and needs half of their memory. koffi stays outside: it
 * carries a native library that is found beside its own files.
 */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { glob, mkdir, open, readFile, rename, writeFile } from 'node:fs/promises';
import { isBuiltin } from 'node:module';
import path from 'node:path';
import { performance } from 'node:perf_hooks';
import { build, type Plugin } from 'esbuild';

const root = path.resolve(import.meta.dirname, '..');

/** Before anything else runs: an older Node.js would fail somewhere in a dependency, with a trace that helps nobody. */
const refuseOldNode = [
  'const [nodeMajor, nodeMinor] = process.versions.node.split(".").map(Number);',
  'if (nodeMajor < 24 || (nodeMajor === 24 && nodeMinor < 11)) {',
  '  console.error("lvs-operator needs Node.js 24.11 or newer; this is " + process.versions.node + ". Where it was built, node_modules/.bin/node is one.");',
  '  process.exit(1);',
  '}',
].join('\n');

/**
 * Node's own modules by require. An ES import of one reads each of its exports, wanted or not: those of node:http and
 * node:crypto include fetch, WebSocket and WebCrypto, which are loaded by being read and cost every process 13 MB.
 */
const builtinsByRequire: Plugin = {
  name: 'builtins-by-require',
  setup: (bundling) => {
    const namespace = 'builtin';
    bundling.onResolve({ filter: /^[a-z0-9_:/]+$/ }, ({ path: name, kind }) =>
      kind === 'import-statement' && isBuiltin(name) ? { path: name, namespace } : undefined,
    );
    bundling.onLoad({ filter: /.*/, namespace }, ({ path: name }) => ({
      contents: `module.exports = require(${JSON.stringify(name)});`,
    }));
  },
};

export interface BuildOptions {
  /** The module to start from. @default src/cli/main.ts */
  readonly entry?: string;
  /** The bundle; its source map lands beside it with `.map` added. @default dist/lvs-operator.mjs */
  readonly outfile?: string;
  /** Build even when nothing changed. @default false */
  readonly force?: boolean;
}

export interface BuiltProduct {
  /** Absolute path of the bundle. */
  readonly file: string;
  /** False when the bundle on disk was already made from these very sources. */
  readonly isFresh: boolean;
  readonly bytes: number;
}

/**
 * Makes the bundle unless the one on disk comes from the same sources: the second line of a bundle names a digest of
 * everything that went in. Safe to call from several processes at once: files appear whole, by rename.
 * @throws Error with esbuild's report where a source cannot be bundled.
 */
export async function buildProduct(options: BuildOptions = {}): Promise<BuiltProduct> {
  const entry = path.resolve(root, options.entry ?? 'src/cli/main.ts');
  const outfile = path.resolve(root, options.outfile ?? 'dist/lvs-operator.mjs');
  if (!existsSync(entry))
    throw new Error(`There is nothing to build: ${path.relative(root, entry)} does not exist.`);

  const stamp = `// sources sha256:${await digestSources(entry)}`;
  if (options.force !== true && (await readStamp(outfile)) === stamp) {
    return { file: outfile, isFresh: false, bytes: (await readFile(outfile)).length };
  }

  const result = await build({
    absWorkingDir: root,
    entryPoints: [entry],
    outfile,
    bundle: true,
    write: false,
    platform: 'node',
    target: 'node24',
    format: 'esm',
    external: ['koffi'],
    plugins: [builtinsByRequire],
    // pino is CommonJS and calls require() for Node's own modules, which an ES module does not have.
    banner: {
      js: [
        '#!/usr/bin/env node',
        stamp,
        "import { createRequire as createRequireForBundle } from 'node:module';",
        refuseOldNode,
        'const require = createRequireForBundle(import.meta.url);',
      ].join('\n'),
    },
    sourcemap: 'linked',
    sourcesContent: false,
    legalComments: 'external',
    // Not minified: a crash prints the line it happened on, and a bug report can be read without the map.
    logLevel: 'silent',
  });
  await mkdir(path.dirname(outfile), { recursive: true });
  // The bundle goes last: its stamp vouches for the files beside it.
  const ordered = result.outputFiles.toSorted(
    (a, b) => Number(a.path === outfile) - Number(b.path === outfile),
  );
  for (const { path: name, text } of ordered)
    // Licences and the map stay as they are written; what runs is read faster as Latin-1.
    await (name === outfile ? writeWhole(name, plain(text), 0o755) : writeWhole(name, text, 0o644));
  return { file: outfile, isFresh: true, bytes: ordered.at(-1)?.contents.length ?? 0 };
}

/** Our sources by content, the dependencies by their lock file. */
async function digestSources(entry: string): Promise<string> {
  const hash = createHash('sha256');
  const folders = new Set([path.join(root, 'src'), path.dirname(entry)]);
  const files = [path.join(root, 'package.json'), path.join(root, 'package-lock.json'), import.meta.filename];
  for (const folder of folders) {
    for await (const name of glob('**/*.{ts,mjs,js,json}', { cwd: folder }))
      files.push(path.join(folder, name));
  }
  for (const file of files.toSorted()) hash.update(`${file}\0`).update(await readFile(file));
  return hash.digest('hex');
}

async function readStamp(outfile: string): Promise<string | undefined> {
  let handle;
  try {
    handle = await open(outfile);
  } catch {
    return undefined;
  }
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(256), 0, 256, 0);
    return buffer.toString('latin1', 0, bytesRead).split('\n')[1];
  } finally {
    await handle.close();
  }
}

/**
 * A single character beyond ASCII makes V8 keep the whole text with two bytes for each letter: 5 MB in every process. esbuild
 * escapes those in strings; what is left stands in comments and regular expressions, where an escape means the same. The
 * source map is off by some columns behind it, on that line.
 */
export function plain(text: string): string {
  return text.replaceAll(
    /[\u0080-\uffff]/g,
    (letter) => `\\u${letter.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

async function writeWhole(file: string, content: string, mode: number): Promise<void> {
  const temporary = `${file}.${process.pid}`;
  await writeFile(temporary, content, { mode });
  await rename(temporary, file);
}

if (import.meta.main) {
  const start = performance.now();
  try {
    const product = await buildProduct({ force: process.argv.includes('--force') });
    const seconds = ((performance.now() - start) / 1000).toFixed(2);
    const what = `${path.relative(root, product.file)} (${(product.bytes / 1024).toFixed(0)} KiB)`;
    console.log(product.isFresh ? `built ${what} in ${seconds} s` : `${what} is up to date`);
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    process.exitCode = 1;
  }
}
