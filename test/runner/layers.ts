import { globSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { repository } from './native.ts';

export const layerNames = ['unit', 'kernel'] as const;
export type LayerName = (typeof layerNames)[number];

export interface TestFile {
  /** Relative to the repository. */
  readonly file: string;
  readonly layer: LayerName;
  /** Runs inside the lab kernel, not on this machine. */
  readonly isInLab: boolean;
  /** Only tests whose name matches; undefined: all. */
  readonly namePattern: string | undefined;
}

/**
 * unit: everything that runs natively in milliseconds. kernel: `test/kernel` inside the lab, and `test/lab-host`, which
 * runs natively and boots labs itself.
 *
 * @param filter keeps the files whose path has this text, and of the others the tests whose name has it
 */
export function findTestFiles(layers: readonly LayerName[], filter: string | undefined): TestFile[] {
  return globSync('test/**/*.test.ts', { cwd: repository })
    .map((file) => classify(file, filter))
    .filter((found) => layers.includes(found.layer))
    .filter((found) => found.namePattern === undefined || readText(found.file).includes(filter ?? ''))
    .toSorted((a, b) => sizeOf(b) - sizeOf(a));
}

function classify(file: string, filter: string | undefined): TestFile {
  const isInLab = file.startsWith('test/kernel/');
  return {
    file,
    layer: isInLab || file.startsWith('test/lab-host/') ? 'kernel' : 'unit',
    isInLab,
    namePattern: filter === undefined || file.includes(filter) ? undefined : escapeRegExp(filter),
  };
}

/** Long files first: they tend to run long, and one that begins last makes everybody wait. */
function sizeOf({ file }: TestFile): number {
  return statSync(path.join(repository, file)).size;
}

function readText(file: string): string {
  return readFileSync(path.join(repository, file), 'utf8');
}

function escapeRegExp(text: string): string {
  return text.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&');
}
