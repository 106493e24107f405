/**
 * `npm run demo`: the product at work in a real Linux kernel, on nothing but this machine. `-- --shell` leaves you in a shell
 * inside the lab when the story is told.
 *
 * This half runs on the host: it sees that the lab can boot, builds the product and the story, and boots. The story
 * itself is inside.ts. Exits 0 only if everything that was shown is as it was said.
 */
import path from 'node:path';
import { bootLab, describeLabResult } from '../test/lab/kernel.ts';
import { LabUnavailable, ensureLabPackages } from '../test/lab/packages.ts';
import { buildProduct } from '../tools/build.ts';

const root = path.resolve(import.meta.dirname, '..');

async function main(argv: readonly string[]): Promise<number> {
  const hasShell = argv.includes('--shell');
  const unknown = argv.find((argument) => argument !== '--shell');
  if (unknown !== undefined) {
    console.error(`demo: unknown argument "${unknown}". Use: npm run demo [-- --shell]`);
    return 2;
  }
  if (hasShell && !(process.stdin.isTTY && process.stdout.isTTY)) {
    console.error('demo: --shell needs a terminal.');
    return 2;
  }
  ensureLabPackages((line) => console.log(line));
  console.log('Building the director …');
  const product = await buildProduct();
  const story = await buildProduct({ entry: 'demo/inside.ts', outfile: 'build/demo/inside.mjs' });
  console.log(`  ${path.relative(root, product.file)}, ${Math.round(product.bytes / 1024)} KiB`);
  console.log('Booting a Linux kernel of our own (User-Mode Linux) …');
  const result = await bootLab(
    {
      argv: [process.execPath, story.file, ...(hasShell ? ['--shell'] : [])],
      env: { DEMO_COLOR: process.stdout.isTTY && process.env['NO_COLOR'] === undefined ? '1' : '' },
    },
    { interactive: hasShell, ...(hasShell ? {} : { timeoutMs: 900_000 }) },
  );
  if (result.outcome === 'exited') return result.code;
  console.error(`demo: ${describeLabResult(result)}`);
  return 1;
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  if (!(error instanceof LabUnavailable)) throw error;
  console.error(error.message);
  process.exitCode = 1;
}
