/**
 * `node list-names.ts FILE` prints the full name of each suite and test of a file, one JSON string a line, and runs none
 * of them: `node:test` is replaced by what writes names down. Code outside of tests and hooks does run.
 */
import { registerHooks } from 'node:module';
import path from 'node:path';
import { pathToFileURL } from 'node:url';

const recorder = new URL('./name-recorder.ts', import.meta.url).href;
registerHooks({
  resolve: (specifier, context, next) =>
    specifier === 'node:test' ? { url: recorder, shortCircuit: true } : next(specifier, context),
});
const [file] = process.argv.slice(2);
if (file !== undefined) await import(pathToFileURL(path.resolve(file)).href);
