/**
 * `npm run generate`: writes every file that is derived from code, so that nothing is said twice by hand.
 * `-- --check` writes nothing and fails when a file on disk differs; `npm run check` and a test call that.
 */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { renderApiReference } from './generate-api-reference.ts';
import { renderChartDefinitions, renderDeployment } from './generate-chart.ts';
import { renderChartValues } from './generate-chart-values.ts';
import { renderCustomResourceDefinitions } from './generate-crds.ts';
import { renderErrorReference } from './generate-error-reference.ts';
import { renderMetricsReference } from './generate-metrics-reference.ts';

const root = path.resolve(import.meta.dirname, '..');

export interface GeneratedFile {
  /** Relative to the project's root, with slashes. */
  readonly path: string;
  readonly content: string;
}

/** Everything that is generated. A new kind joins by adding its files here. */
export function computeGeneratedFiles(): GeneratedFile[] {
  const definitions = renderCustomResourceDefinitions();
  return [
    { path: 'docs/errors.md', content: renderErrorReference() },
    { path: 'docs/metrics.md', content: renderMetricsReference() },
    { path: 'docs/api.md', content: renderApiReference() },
    ...definitions,
    ...renderChartDefinitions(definitions),
    ...renderDeployment(definitions),
    { path: 'docs/chart-values.md', content: renderChartValues() },
  ];
}

/** The generated files whose content on disk is missing or differs. */
export async function findStaleFiles(): Promise<GeneratedFile[]> {
  const stale: GeneratedFile[] = [];
  for (const file of computeGeneratedFiles()) {
    const onDisk = await readFile(path.join(root, file.path), 'utf8').catch(() => undefined);
    if (onDisk !== file.content) stale.push(file);
  }
  return stale;
}

/** @returns the files that were written because they differed. */
export async function writeStaleFiles(): Promise<GeneratedFile[]> {
  const stale = await findStaleFiles();
  for (const file of stale) {
    const target = path.join(root, file.path);
    await mkdir(path.dirname(target), { recursive: true });
    await writeFile(target, file.content);
  }
  return stale;
}

if (import.meta.main) {
  if (process.argv.includes('--check')) {
    const stale = await findStaleFiles();
    for (const file of stale)
      console.error(`${file.path} differs from the code: run "npm run generate" and commit it.`);
    if (stale.length > 0) process.exitCode = 1;
  } else {
    const written = await writeStaleFiles();
    for (const file of written) console.log(`wrote ${file.path}`);
    if (written.length === 0) console.log('all generated files are up to date');
  }
}
