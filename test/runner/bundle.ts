import path from 'node:path';
import { build } from 'esbuild';
import { repository } from './native.ts';

/** As deep below the repository as test/kernel is, so that paths relative to a module stay true in its bundle. */
const bundleFolder = path.join(repository, 'build/kernel-tests');

/** Bundles one module for the lab, where loading a tree of TypeScript files takes five seconds. Returns its path. */
export async function bundleForLab(file: string): Promise<string> {
  const name = path.basename(file).replace(/\.ts$/, '.mjs');
  const outfile = path.join(bundleFolder, name);
  await build({
    absWorkingDir: repository,
    entryPoints: [file],
    outfile,
    bundle: true,
    platform: 'node',
    target: 'node24',
    format: 'esm',
    external: ['koffi', 'esbuild'],
    // CommonJS dependencies call require() for Node's own modules, which an ES module does not have.
    banner: {
      js: "import { createRequire as createRequireForBundle } from 'node:module'; const require = createRequireForBundle(import.meta.url);",
    },
    sourcemap: 'linked',
    sourcesContent: false,
    legalComments: 'none',
    logLevel: 'silent',
  });
  return outfile;
}
